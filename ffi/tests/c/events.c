// An event loop with epoll that never waits inside the library: two nodes in one process, many operations under way at once, each
// of which completes once with its context. Then changes that depend on a version, and a node that is closed while others wait.

#include "check.h"

#include <pthread.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { SESSIONS = 200 };

// One operation of the program: what it is about, and what became of it.
struct request {
    char id[16];
    int completed;
    relevo_result result;
    uint32_t copies;
    uint64_t version;
    char cart[32];
};

// One node with its place in the event loop.
struct member {
    relevo_node *node;
    const char *name;
};

static struct member members[2];
static int loop;
static int open_requests;

static relevo_node *open_node(const char *name, const char *seed, uint32_t drop_ms, uint32_t ack_ms) {
    relevo_config *config = local_config(name);
    DO(relevo_config_set_detection(config, drop_ms / 20, drop_ms));
    DO(relevo_config_set_timeouts(config, 2000, ack_ms));
    DO(relevo_config_set_memory(config, 8 << 20, 1024));
    if (seed != NULL) {
        DO(relevo_config_add_seed(config, seed));
    }
    relevo_node *node;
    DO(relevo_node_open(config, &node));
    relevo_config_free(config);
    return node;
}

static void wait_for_member(relevo_node *node, const char *name) {
    int found = 0;
    while (!found) {
        relevo_event *event;
        DO(relevo_node_next_event(node, 60000, &event));
        const char *member = relevo_event_member(event);
        found = relevo_event_kind_of(event) == RELEVO_EVENT_KIND_MEMBER_JOINED && strcmp(member, name) == 0;
        relevo_event_free(event);
    }
}

static void open_pair(uint32_t drop_ms, uint32_t ack_ms) {
    members[0] = (struct member){open_node("a", NULL, drop_ms, ack_ms), "a"};
    relevo_status *status;
    DO(relevo_node_status(members[0].node, &status));
    members[1] = (struct member){open_node("b", relevo_status_address(status), drop_ms, ack_ms), "b"};
    relevo_status_free(status);
    wait_for_member(members[0].node, "b");
    wait_for_member(members[1].node, "a");
}

static void watch(struct member *member) {
    int descriptor;
    DO(relevo_node_completion_descriptor(member->node, &descriptor));
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = member};
    CHECK(epoll_ctl(loop, EPOLL_CTL_ADD, descriptor, &event) == 0);
}

// Notes the result of a start: most operations go on, and one that was decided at once has its result here.
static void started(struct request *request, relevo_result result) {
    if (result == RELEVO_RESULT_PENDING) {
        open_requests++;
        return;
    }
    request->completed = 1;
    request->result = result;
}

static void complete(const relevo_completions *list, size_t index) {
    struct request *request = relevo_completions_context(list, index);
    CHECK(request != NULL && !request->completed);
    request->completed = 1;
    request->result = relevo_completions_result(list, index);
    request->copies = relevo_completions_copies(list, index);
    request->version = relevo_completions_version(list, index);
    const relevo_session *session = relevo_completions_session(list, index);
    relevo_bytes cart;
    if (session != NULL) {
        DO(relevo_session_find(session, relevo_bytes_of("cart"), &cart));
        CHECK(cart.len < sizeof request->cart);
        memcpy(request->cart, cart.data, cart.len);
        request->cart[cart.len] = 0;
    }
    open_requests--;
}

// The event loop: sleeps in epoll until everything has completed.
static void run_loop(void) {
    while (open_requests > 0) {
        struct epoll_event event;
        CHECK(epoll_wait(loop, &event, 1, 60000) == 1);
        struct member *member = event.data.ptr;
        relevo_completions *list;
        DO(relevo_node_completions(member->node, 0, &list));
        for (size_t i = 0; i < relevo_completions_count(list); i++) {
            complete(list, i);
        }
        CHECK(relevo_completions_context(list, relevo_completions_count(list)) == NULL);
        relevo_completions_free(list);
    }
}

// All are started before any has completed.
static void many_at_once(void) {
    static struct request commits[SESSIONS], fetches[SESSIONS], ends[SESSIONS];
    relevo_node *a = members[0].node, *b = members[1].node;
    for (int i = 0; i < SESSIONS; i++) {
        struct request *request = &commits[i];
        snprintf(request->id, sizeof request->id, "S%d", i);
        relevo_key key = shop(request->id);
        relevo_change change = set("cart", request->id);
        started(request, relevo_node_start_commit(a, &key, &change, 1, 1800, RELEVO_ACK_ALL, request, NULL));
    }
    CHECK(open_requests == SESSIONS);
    run_loop();
    for (int i = 0; i < SESSIONS; i++) {
        CHECK(commits[i].result == RELEVO_RESULT_OK && commits[i].copies == 2);
        relevo_key key = shop(commits[i].id);
        relevo_session *session;
        started(&fetches[i], relevo_node_start_fetch(b, &key, "a", &fetches[i], &session));
    }
    CHECK(open_requests == SESSIONS);
    run_loop();
    for (int i = 0; i < SESSIONS; i++) {
        CHECK(fetches[i].result == RELEVO_RESULT_OK && strcmp(fetches[i].cart, commits[i].id) == 0);
        relevo_key key = shop(commits[i].id);
        CHECK(relevo_node_owns(b, &key));
        started(&ends[i], relevo_node_start_invalidate(b, &key, &ends[i], NULL));
    }
    run_loop();
    for (int i = 0; i < SESSIONS; i++) {
        CHECK(ends[i].result == RELEVO_RESULT_OK && ends[i].copies == 2);
    }
}

// One of each other kind.
static void the_others(void) {
    relevo_node *a = members[0].node;
    struct request none = {0}, renamed = {0}, sent = {0};
    relevo_key key = shop("R1"), nowhere = shop("nowhere");
    relevo_change change = set("cart", "1 fig");
    relevo_session *session;
    DO(relevo_node_commit(a, &key, &change, 1, 1800, RELEVO_ACK_ALL, NULL));
    started(&none, relevo_node_start_fetch(a, &nowhere, "b", &none, &session));
    started(&renamed, relevo_node_start_rename(a, &key, relevo_bytes_of("R2"), &renamed, NULL));
    started(&sent, relevo_node_start_send(a, "b", relevo_bytes_of("hi"), &sent, NULL));
    run_loop();
    CHECK(none.result == RELEVO_RESULT_NOT_FOUND);
    CHECK(renamed.result == RELEVO_RESULT_OK && renamed.copies == 2);
    CHECK(sent.result == RELEVO_RESULT_OK && sent.copies == 2);
    EXPECT(RELEVO_RESULT_NO_MEMBER, relevo_node_start_send(a, "c", relevo_bytes_of("hi"), &sent, NULL));
    EXPECT(RELEVO_RESULT_BAD_LENGTH, relevo_node_start_invalidate(a, &(relevo_key){0}, &sent, NULL));
    EXPECT(RELEVO_RESULT_NULL_POINTER, relevo_node_start_fetch(a, &key, NULL, &none, NULL));
}

// Compare and set: a change is made from the version that was seen, once.
static void compare_and_set(void) {
    relevo_node *a = members[0].node, *b = members[1].node;
    relevo_key key = shop("V1");
    relevo_change one = set("cart", "1"), two = set("cart", "2"), three = set("cart", "3");
    relevo_session *session;
    uint64_t first = 0, second = 0, now = 0;
    uint32_t copies = 0;
    EXPECT(RELEVO_RESULT_CHANGED, relevo_node_version(a, &key, &now));
    EXPECT(RELEVO_RESULT_CHANGED,
           relevo_node_commit_from(a, &key, 7, &one, 1, 1800, RELEVO_ACK_ALL, &first, NULL));
    DO(relevo_node_commit_from(a, &key, 0, &one, 1, 1800, RELEVO_ACK_ALL, &first, &copies));
    CHECK(first != 0 && copies == 2);
    DO(relevo_node_version(a, &key, &now));
    CHECK(now == first);
    DO(relevo_node_get(a, &key, &session));
    CHECK(relevo_session_version(session) == first);
    relevo_session_free(session);
    EXPECT(RELEVO_RESULT_CHANGED, relevo_node_commit_from(a, &key, 0, &two, 1, 1800, 0, NULL, NULL));

    struct request changed = {0}, late = {0};
    started(&changed, relevo_node_start_commit_from(a, &key, first, &two, 1, 1800, RELEVO_ACK_ALL, &changed, &second, NULL));
    started(&late, relevo_node_start_commit_from(a, &key, first, &three, 1, 1800, RELEVO_ACK_ALL, &late, NULL, NULL));
    run_loop();
    CHECK(changed.result == RELEVO_RESULT_OK && changed.version != 0 && changed.version != first);
    CHECK(late.result == RELEVO_RESULT_CHANGED);

    // The other node has to fetch first, and then the version that was seen here doesn't count any more.
    EXPECT(RELEVO_RESULT_CHANGED,
           relevo_node_commit_from(b, &key, changed.version, &three, 1, 1800, RELEVO_ACK_ALL, NULL, NULL));
    DO(relevo_node_fetch(b, &key, "a", &session));
    uint64_t there = relevo_session_version(session);
    relevo_session_free(session);
    EXPECT(RELEVO_RESULT_CHANGED, relevo_node_invalidate_from(a, &key, changed.version, NULL));
    EXPECT(RELEVO_RESULT_CHANGED, relevo_node_invalidate_from(b, &key, there + 1, NULL));
    DO(relevo_node_invalidate_from(b, &key, there, &copies));
    CHECK(copies == 2);
    EXPECT(RELEVO_RESULT_CHANGED, relevo_node_start_invalidate_from(b, &key, there, &late, NULL));
}

// Both nodes list the sessions that they have, and read them without becoming the primary.
static void list(void) {
    relevo_key keys[] = {shop("L1"), shop("L2")};
    relevo_change change = set("cart", "1");
    for (int i = 0; i < 2; i++) {
        DO(relevo_node_commit(members[0].node, &keys[i], &change, 1, 1800, RELEVO_ACK_ALL, NULL));
    }
    for (int i = 0; i < 2; i++) {
        relevo_sessions *sessions;
        DO(relevo_node_sessions(members[i].node, relevo_bytes_of("shop"), &sessions));
        int found = 0;
        for (size_t n = 0; n < relevo_sessions_count(sessions); n++) {
            relevo_bytes id = relevo_sessions_id(sessions, n);
            if (!same(id, "L1") && !same(id, "L2")) {
                continue;
            }
            found++;
            CHECK(relevo_sessions_owned(sessions, n) == (i == 0));
            CHECK(relevo_sessions_max_inactive(sessions, n) == 1800);
            CHECK(relevo_sessions_idle_ms(sessions, n) < 600000);
            relevo_key key = {.application = relevo_bytes_of("shop"), .id = id};
            relevo_session *session;
            DO(relevo_node_get(members[i].node, &key, &session));
            CHECK(relevo_session_version(session) == relevo_sessions_version(sessions, n));
            relevo_session_free(session);
        }
        CHECK(found == 2);
        size_t count = relevo_sessions_count(sessions);
        CHECK(relevo_sessions_id(sessions, count).len == 0 && relevo_sessions_version(sessions, count) == 0);
        relevo_sessions_free(sessions);
        DO(relevo_node_sessions(members[i].node, relevo_bytes_of("unknown"), &sessions));
        CHECK(relevo_sessions_count(sessions) == 0);
        relevo_sessions_free(sessions);
    }
}

static void *wait_in_a_call(void *node) {
    relevo_key key = shop("waits");
    relevo_change change = set("cart", "1");
    EXPECT(RELEVO_RESULT_CLOSED, relevo_node_commit(node, &key, &change, 1, 1800, RELEVO_ACK_ALL, NULL));
    return NULL;
}

// What was started at a node that leaves completes as closed; threads in calls with a node that is closed come back.
static void the_end(void) {
    open_pair(200000, 200000);
    DO(relevo_node_close(members[1].node)); // to the other one it seems to be alive still
    watch(&members[0]);
    static struct request requests[10];
    for (int i = 0; i < 10; i++) {
        snprintf(requests[i].id, sizeof requests[i].id, "E%d", i);
        relevo_key key = shop(requests[i].id);
        relevo_change change = set("cart", "1");
        started(&requests[i], relevo_node_start_commit(members[0].node, &key, &change, 1, 1800, RELEVO_ACK_ALL, &requests[i], NULL));
    }
    CHECK(open_requests == 10);
    relevo_completions *list;
    DO(relevo_node_completions(members[0].node, 0, &list));
    CHECK(relevo_completions_count(list) == 0);
    relevo_completions_free(list);
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, wait_in_a_call, members[0].node) == 0);
    EXPECT(RELEVO_RESULT_NOT_CONFIRMED, relevo_node_leave(members[0].node, 100));
    run_loop();
    for (int i = 0; i < 10; i++) {
        CHECK(requests[i].result == RELEVO_RESULT_CLOSED);
    }
    EXPECT(RELEVO_RESULT_CLOSED, relevo_node_completions(members[0].node, 60000, &list));
    CHECK(pthread_join(thread, NULL) == 0);
    DO(relevo_node_close(members[0].node));
    EXPECT(RELEVO_RESULT_CLOSED, relevo_node_completions(members[0].node, 0, &list));
}

int main(void) {
    loop = epoll_create1(EPOLL_CLOEXEC);
    CHECK(loop >= 0);
    // A probe period so long that a slow machine, or valgrind, doesn't make a node doubt that it owns its sessions.
    open_pair(100000, 30000);
    watch(&members[0]);
    watch(&members[1]);
    many_at_once();
    the_others();
    compare_and_set();
    list();
    DO(relevo_node_close(members[0].node));
    DO(relevo_node_close(members[1].node));
    the_end();
    close(loop);
    puts("events: all that was started has completed, and nothing waited in the library");
    return 0;
}
