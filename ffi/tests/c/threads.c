// Many threads use one node at once, and one closes it meanwhile. Each call succeeds or says that the node is closed,
// and each thread has its own last error.

#include "check.h"

#include <pthread.h>

enum { THREADS = 4, ROUNDS = 200 };

struct worker {
    pthread_t thread;
    relevo_node *node;
    int number;
    int done;
};

// How many rounds all workers together have finished. It is waited for and never polled: where one thread runs at a
// time, as under valgrind, polling would keep the others from running.
static int finished_rounds;
static pthread_mutex_t finished_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t finished_enough = PTHREAD_COND_INITIALIZER;

static void finish_round(void) {
    CHECK(pthread_mutex_lock(&finished_lock) == 0);
    if (++finished_rounds == THREADS * ROUNDS) {
        CHECK(pthread_cond_signal(&finished_enough) == 0);
    }
    CHECK(pthread_mutex_unlock(&finished_lock) == 0);
}

static void await_rounds(void) {
    CHECK(pthread_mutex_lock(&finished_lock) == 0);
    while (finished_rounds < THREADS * ROUNDS) {
        CHECK(pthread_cond_wait(&finished_enough, &finished_lock) == 0);
    }
    CHECK(pthread_mutex_unlock(&finished_lock) == 0);
}

// Commits, reads and ends sessions of its own until the node is closed.
static void *work(void *argument) {
    struct worker *worker = argument;
    char id[16], value[16];
    snprintf(id, sizeof id, "T%d", worker->number);
    relevo_key key = shop(id);
    for (int round = 0;; round++) {
        snprintf(value, sizeof value, "%d", round);
        relevo_change change = set("count", value);
        relevo_result result = relevo_node_commit(worker->node, &key, &change, 1, 60, 0, NULL);
        if (result == RELEVO_RESULT_CLOSED) {
            CHECK(strstr(relevo_last_error(), "closed") != NULL);
            return NULL;
        }
        CHECK(result == RELEVO_RESULT_OK);
        relevo_session *session;
        relevo_bytes read;
        result = relevo_node_get(worker->node, &key, &session);
        if (result == RELEVO_RESULT_OK) {
            DO(relevo_session_find(session, relevo_bytes_of("count"), &read));
            CHECK(same(read, value));
            relevo_session_free(session);
            worker->done++;
        } else {
            CHECK(result == RELEVO_RESULT_CLOSED);
        }
        finish_round();
    }
}

// Waits for events until there are none any more.
static void *listen(void *argument) {
    relevo_node *node = argument;
    relevo_event *event;
    relevo_result result;
    while ((result = relevo_node_next_event(node, 60000, &event)) == RELEVO_RESULT_OK) {
        relevo_event_free(event);
    }
    CHECK(result == RELEVO_RESULT_CLOSED);
    return NULL;
}

int main(void) {
    relevo_config *config = local_config("threads");
    relevo_node *node;
    DO(relevo_node_open(config, &node));
    relevo_config_free(config);

    pthread_t listener;
    CHECK(pthread_create(&listener, NULL, listen, node) == 0);
    struct worker workers[THREADS];
    for (int i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){.node = node, .number = i};
        CHECK(pthread_create(&workers[i].thread, NULL, work, &workers[i]) == 0);
    }
    await_rounds();
    DO(relevo_node_leave(node, 1000));
    DO(relevo_node_close(node));
    int done = 0;
    for (int i = 0; i < THREADS; i++) {
        CHECK(pthread_join(workers[i].thread, NULL) == 0);
        done += workers[i].done;
    }
    CHECK(pthread_join(listener, NULL) == 0);
    CHECK(done > 0 && strcmp(relevo_last_error(), "") == 0);
    printf("threads: %d threads used a node until it was closed\n", THREADS);
    return 0;
}
