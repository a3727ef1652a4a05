// Two nodes in one process, on 127.0.0.1, found by seeds: a session is committed on one, taken
// over by the other, gets a new id, and ends everywhere; another one survives its node.

#include "check.h"

static relevo_node *open_node(const char *name, const char *seed) {
    relevo_config *config = local_config(name);
    // Quick enough for a test, slow enough for valgrind.
    DO(relevo_config_set_detection(config, 200, 4000));
    DO(relevo_config_set_timeouts(config, 2000, 3000));
    if (seed != NULL) {
        DO(relevo_config_add_seed(config, seed));
    }
    relevo_node *node;
    DO(relevo_node_open(config, &node));
    relevo_config_free(config);
    return node;
}

// Whether the event is about the member or the session called `subject`.
static int is_about(const relevo_event *event, const char *subject) {
    const char *member = relevo_event_member(event);
    if (member != NULL) {
        return strcmp(member, subject) == 0;
    }
    relevo_key key;
    return relevo_event_session(event, &key) == RELEVO_RESULT_OK && same(key.id, subject);
}

// Takes events until one is of `kind` and about `subject`.
static void wait_for(relevo_node *node, relevo_event_kind kind, const char *subject) {
    int found = 0;
    while (!found) {
        relevo_event *event;
        DO(relevo_node_next_event(node, 60000, &event));
        found = relevo_event_kind_of(event) == kind && is_about(event, subject);
        relevo_event_free(event);
    }
}

// Checks that `node` sees both members alive.
static void both_are_members(relevo_node *node) {
    relevo_members *members;
    DO(relevo_node_members(node, &members));
    CHECK(relevo_members_count(members) == 2);
    for (size_t i = 0; i < 2; i++) {
        CHECK(relevo_members_state(members, i) == RELEVO_MEMBER_STATE_ALIVE);
        printf("  %s at %s\n", relevo_members_name(members, i), relevo_members_address(members, i));
    }
    CHECK(relevo_members_name(members, 2) == NULL);
    relevo_members_free(members);
}

static void expect_cart(const relevo_session *session, const char *cart) {
    relevo_bytes value;
    DO(relevo_session_find(session, relevo_bytes_of("cart"), &value));
    CHECK(same(value, cart));
}

// A commit on `a`, acknowledged by all holders, is there when `b` takes the next request.
static void session_moves(relevo_node *a, relevo_node *b) {
    relevo_key key = shop("A1");
    relevo_change changes[] = {set("cart", "3 apples"), set("user", "ana")};
    uint32_t copies = 0;
    DO(relevo_node_commit(a, &key, changes, 2, 1800, RELEVO_ACK_ALL, &copies));
    CHECK(copies == 2);

    relevo_session *session;
    DO(relevo_node_fetch(b, &key, "a", &session));
    expect_cart(session, "3 apples");
    CHECK(relevo_session_count(session) == 2);
    CHECK(!relevo_session_maybe_stale(session));
    relevo_session_free(session);
    CHECK(relevo_node_owns(b, &key));
    wait_for(a, RELEVO_EVENT_KIND_MOVED, "A1");
    CHECK(!relevo_node_owns(a, &key));

    // The session goes back, with what was added meanwhile.
    relevo_change more[] = {set("cart", "3 apples, 1 pear")};
    DO(relevo_node_commit(b, &key, more, 1, 1800, RELEVO_ACK_AT_LEAST | 2, &copies));
    CHECK(copies == 2);
    DO(relevo_node_fetch(a, &key, "b", &session));
    expect_cart(session, "3 apples, 1 pear");
    relevo_session_free(session);
}

// The old id is dead everywhere, the new one has everything.
static void session_gets_a_new_id(relevo_node *a, relevo_node *b) {
    relevo_key old_key = shop("A1"), new_key = shop("A2");
    relevo_session *session;
    DO(relevo_node_rename(a, &old_key, new_key.id, NULL));
    DO(relevo_node_fetch(b, &new_key, "a", &session));
    expect_cart(session, "3 apples, 1 pear");
    relevo_session_free(session);
    EXPECT(RELEVO_RESULT_NOT_FOUND, relevo_node_fetch(b, &old_key, "a", &session));
    EXPECT(RELEVO_RESULT_NOT_FOUND, relevo_node_fetch(a, &old_key, NULL, &session));
}

// Takes events until a message comes, and checks who sent it and what it says.
static void expect_message(relevo_node *node, const char *from, const char *text) {
    relevo_event *event;
    relevo_bytes bytes;
    do {
        DO(relevo_node_next_event(node, 60000, &event));
        if (relevo_event_kind_of(event) == RELEVO_EVENT_KIND_MESSAGE) {
            break;
        }
        EXPECT(RELEVO_RESULT_NOT_FOUND, relevo_event_message(event, &bytes));
        relevo_event_free(event);
    } while (1);
    CHECK(strcmp(relevo_event_member(event), from) == 0);
    DO(relevo_event_message(event, &bytes));
    CHECK(same(bytes, text));
    relevo_event_free(event);
}

// Applications send each other messages, to one or to all, in order. A message that can't be sent gives an error.
static void messages(relevo_node *a, relevo_node *b) {
    uint32_t copies = 0;
    DO(relevo_node_send(a, "b", relevo_bytes_of("to b"), 10000, &copies));
    CHECK(copies == 2);
    DO(relevo_node_send(a, NULL, relevo_bytes_of("to all"), 0, NULL));
    DO(relevo_node_send(a, NULL, relevo_bytes_of(""), 10000, &copies));
    CHECK(copies == 2);
    expect_message(b, "a", "to b");
    expect_message(b, "a", "to all");
    expect_message(b, "a", "");
    EXPECT(RELEVO_RESULT_NO_MEMBER, relevo_node_send(a, "c", relevo_bytes_of("?"), 0, NULL));
    static char longest[1025];
    relevo_bytes long_one = {longest, 1025};
    EXPECT(RELEVO_RESULT_BAD_LENGTH, relevo_node_send(a, "b", long_one, 0, NULL));
    long_one.len = 1024;
    DO(relevo_node_send(b, "a", long_one, 10000, NULL));
    EXPECT(RELEVO_RESULT_NULL_POINTER, relevo_event_message(NULL, &long_one));
}

// What one node ends, the other doesn't serve.
static void session_ends(relevo_node *a, relevo_node *b) {
    relevo_key key = shop("A2");
    uint32_t copies = 0;
    DO(relevo_node_invalidate(b, &key, &copies));
    CHECK(copies == 2);
    relevo_session *session;
    EXPECT(RELEVO_RESULT_NOT_FOUND, relevo_node_fetch(a, &key, "b", &session));
}

// More copies are asked for than there are nodes: refused before the write, or written and reported after the wait.
static void copies_that_cannot_be(relevo_node *a) {
    relevo_key key = shop("A3");
    relevo_change change = set("cart", "1 fig");
    relevo_session *session;
    EXPECT(RELEVO_RESULT_TOO_FEW_NODES,
           relevo_node_commit(a, &key, &change, 1, 1800, RELEVO_ACK_AT_LEAST | 3, NULL));
    EXPECT(RELEVO_RESULT_NOT_FOUND, relevo_node_get(a, &key, &session));
    uint32_t copies = 0;
    EXPECT(RELEVO_RESULT_NOT_CONFIRMED,
           relevo_node_commit(a, &key, &change, 1, 1800, 3, &copies));
    CHECK(copies == 2);
    CHECK(strstr(relevo_last_error(), "2") != NULL);
}

// A node that says good-bye is known to have left, not to have crashed.
static void one_comes_and_leaves(relevo_node *a, const char *seed) {
    relevo_node *c = open_node("c", seed);
    wait_for(a, RELEVO_EVENT_KIND_MEMBER_JOINED, "c");
    wait_for(c, RELEVO_EVENT_KIND_MEMBER_JOINED, "a");
    DO(relevo_node_leave(c, 5000));
    wait_for(a, RELEVO_EVENT_KIND_MEMBER_LEFT, "c");
    EXPECT(RELEVO_RESULT_CLOSED, relevo_node_leave(c, 5000));
    DO(relevo_node_close(c));
}

// `a` dies without leaving, and `b` has what was committed there.
static void session_survives(relevo_node *a, relevo_node *b) {
    relevo_key key = shop("A4");
    relevo_change change = set("cart", "2 figs");
    relevo_session *session;
    uint32_t copies = 0;
    DO(relevo_node_commit(a, &key, &change, 1, 1800, 2, &copies));
    CHECK(copies == 2);
    DO(relevo_node_close(a));

    DO(relevo_node_fetch(b, &key, "a", &session));
    expect_cart(session, "2 figs");
    relevo_session_free(session);
    wait_for(b, RELEVO_EVENT_KIND_MEMBER_DOWN, "a");
    CHECK(relevo_node_owns(b, &key));
}

int main(void) {
    relevo_node *a = open_node("a", NULL);
    relevo_status *status;
    DO(relevo_node_status(a, &status));
    const char *seed = relevo_status_address(status);
    relevo_node *b = open_node("b", seed);
    wait_for(a, RELEVO_EVENT_KIND_MEMBER_JOINED, "b");
    wait_for(b, RELEVO_EVENT_KIND_MEMBER_JOINED, "a");
    both_are_members(a);
    both_are_members(b);

    messages(a, b);
    session_moves(a, b);
    session_gets_a_new_id(a, b);
    session_ends(a, b);
    copies_that_cannot_be(a);
    one_comes_and_leaves(a, seed);
    session_survives(a, b);

    relevo_status_free(status);
    DO(relevo_node_close(b));
    puts("two_nodes: a session moved, changed its id, ended on both; another survived its node");
    return 0;
}
