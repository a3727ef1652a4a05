// A process that forks while a node is open: in the child every call with the node says that it is closed, nothing is
// sent, and a node of its own can be opened there. The parent's node goes on. A program that waits for its signals with
// sigwait gets them, since the library's threads take none.

#include "check.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

// Every function of the header that takes a node.
static void all_say_closed(relevo_node *node) {
    relevo_key key = shop("6B94");
    relevo_change change = set("cart", "3 apples");
    relevo_session *session;
    relevo_members *members;
    relevo_status *status;
    relevo_event *event;
    relevo_completions *completions;
    relevo_sessions *sessions;
    uint64_t version;
    int descriptor;
    uint8_t secret[32] = {1};
    relevo_bytes bytes = {.data = secret, .len = sizeof secret};
    EXPECT(RELEVO_RESULT_CLOSED, relevo_node_commit(node, &key, &change, 1, 60, RELEVO_ACK_ALL, NULL));
    EXPECT(RELEVO_RESULT_CLOSED, relevo_node_get(node, &key, &session));
    EXPECT(RELEVO_RESULT_CLOSED, relevo_node_fetch(node, &key, NULL, &session));
    EXPECT(RELEVO_RESULT_CLOSED, relevo_node_invalidate(node, &key, NULL));
    EXPECT(RELEVO_RESULT_CLOSED, relevo_node_rename(node, &key, relevo_bytes_of("new"), NULL));
    EXPECT(RELEVO_RESULT_CLOSED, relevo_node_touch(node, &key));
    EXPECT(RELEVO_RESULT_CLOSED, relevo_node_send(node, NULL, relevo_bytes_of("hi"), 1000, NULL));
    EXPECT(RELEVO_RESULT_CLOSED, relevo_node_members(node, &members));
    EXPECT(RELEVO_RESULT_CLOSED, relevo_node_status(node, &status));
    EXPECT(RELEVO_RESULT_CLOSED, relevo_node_next_event(node, 1000, &event));
    EXPECT(RELEVO_RESULT_CLOSED, relevo_node_start_commit(node, &key, &change, 1, 60, RELEVO_ACK_ALL, NULL, NULL));
    EXPECT(RELEVO_RESULT_CLOSED, relevo_node_start_fetch(node, &key, NULL, NULL, &session));
    EXPECT(RELEVO_RESULT_CLOSED, relevo_node_start_invalidate(node, &key, NULL, NULL));
    EXPECT(RELEVO_RESULT_CLOSED, relevo_node_start_rename(node, &key, relevo_bytes_of("new"), NULL, NULL));
    EXPECT(RELEVO_RESULT_CLOSED, relevo_node_start_send(node, NULL, relevo_bytes_of("hi"), NULL, NULL));
    EXPECT(RELEVO_RESULT_CLOSED, relevo_node_start_commit_from(node, &key, 0, &change, 1, 60, 0, NULL, NULL, NULL));
    EXPECT(RELEVO_RESULT_CLOSED, relevo_node_start_invalidate_from(node, &key, 1, NULL, NULL));
    EXPECT(RELEVO_RESULT_CLOSED, relevo_node_commit_from(node, &key, 0, &change, 1, 60, 0, NULL, NULL));
    EXPECT(RELEVO_RESULT_CLOSED, relevo_node_invalidate_from(node, &key, 1, NULL));
    EXPECT(RELEVO_RESULT_CLOSED, relevo_node_version(node, &key, &version));
    EXPECT(RELEVO_RESULT_CLOSED, relevo_node_sessions(node, relevo_bytes_of("shop"), &sessions));
    EXPECT(RELEVO_RESULT_CLOSED, relevo_node_completions(node, 1000, &completions));
    EXPECT(RELEVO_RESULT_CLOSED, relevo_node_completion_descriptor(node, &descriptor));
    EXPECT(RELEVO_RESULT_CLOSED, relevo_node_set_keys(node, &bytes, 1));
    EXPECT(RELEVO_RESULT_CLOSED, relevo_node_reload_keys(node));
    EXPECT(RELEVO_RESULT_CLOSED, relevo_node_leave(node, 1000));
    EXPECT(RELEVO_RESULT_CLOSED, relevo_node_close(node));
    CHECK(!relevo_node_owns(node, &key));
}

static relevo_node *open_node(const char *name, const uint8_t *key) {
    relevo_config *config = local_config(name);
    if (key != NULL) {
        relevo_bytes bytes = {.data = key, .len = 32};
        DO(relevo_config_set_keys(config, &bytes, 1));
    }
    relevo_node *node;
    DO(relevo_node_open(config, &node));
    relevo_config_free(config);
    return node;
}

// How many datagrams the node has sent.
static uint64_t sent(const relevo_node *node) {
    relevo_status *status;
    DO(relevo_node_status(node, &status));
    uint64_t value = 0;
    for (size_t i = 0; i < relevo_status_counter_count(status); i++) {
        if (strcmp(relevo_status_counter_name(status, i), "socket_sent") == 0) {
            value = relevo_status_counter_value(status, i);
        }
    }
    relevo_status_free(status);
    return value;
}

static void child_of(relevo_node *node) {
    alarm(60); // a call that waits for a lock of a thread that isn't here must not hang the test
    all_say_closed(node);
    relevo_node *own = open_node("child", NULL);
    CHECK(own != node);
    CHECK(sent(own) == 0);
    relevo_key key = shop("6B94");
    relevo_change change = set("cart", "of the child");
    DO(relevo_node_commit(own, &key, &change, 1, 60, RELEVO_ACK_NONE, NULL));
    DO(relevo_node_close(own));
    all_say_closed(node);
    // A search for leaks would find all that belongs to the parent's thread, which isn't here.
    execlp("true", "true", (char *)NULL);
    _exit(1);
}

static void *keep_calling(void *node) {
    relevo_key key = shop("busy");
    for (int i = 0; i < 2000; i++) {
        relevo_change change = set("cart", i % 2 == 0 ? "full" : "empty");
        relevo_node_commit(node, &key, &change, 1, 60, RELEVO_ACK_NONE, NULL);
    }
    return NULL;
}

// Forks while another thread is inside of the library, again and again.
static void forks(const uint8_t *secret) {
    relevo_node *node = open_node("parent", secret);
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, keep_calling, node) == 0);
    for (int i = 0; i < 10; i++) {
        pid_t child = fork();
        CHECK(child >= 0);
        if (child == 0) {
            child_of(node);
        }
        int status;
        CHECK(waitpid(child, &status, 0) == child);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    CHECK(pthread_join(thread, NULL) == 0);
    relevo_key key = shop("6B94");
    relevo_change change = set("cart", "of the parent");
    DO(relevo_node_commit(node, &key, &change, 1, 60, RELEVO_ACK_ALL, NULL));
    DO(relevo_node_leave(node, 10000));
    DO(relevo_node_close(node));
}

// SIGTERM reaches the thread that waits for it, although the library's thread doesn't know of it.
static void signals(void) {
    relevo_node *node = open_node("waits", NULL);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    CHECK(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
    for (int i = 0; i < 20; i++) {
        CHECK(kill(getpid(), SIGTERM) == 0);
        int signal;
        CHECK(sigwait(&set, &signal) == 0 && signal == SIGTERM);
    }
    DO(relevo_node_close(node));
}

int main(void) {
    uint8_t secret[32];
    memset(secret, 7, sizeof secret);
    forks(NULL);
    forks(secret);
    signals();
    printf("fork: well\n");
    return 0;
}
