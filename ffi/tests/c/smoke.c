// One node alone: open, commit, read, remove, end. The shortest use of the library.

#include "check.h"

// The header, its composed number and the library at run time are of one version.
static void versions_agree(void) {
    char text[32];
    snprintf(text, sizeof text, "%d.%d.%d", RELEVO_VERSION_MAJOR, RELEVO_VERSION_MINOR,
             RELEVO_VERSION_PATCH);
    CHECK(strcmp(text, relevo_version()) == 0);
    CHECK(RELEVO_VERSION_NUMBER ==
          RELEVO_VERSION_MAJOR * 65536 + RELEVO_VERSION_MINOR * 256 + RELEVO_VERSION_PATCH);
    CHECK(RELEVO_VERSION_NUMBER == relevo_version_number());
}

// Prints what a session contains and returns how many attributes it has.
static size_t print_session(const relevo_session *session) {
    size_t count = relevo_session_count(session);
    for (size_t i = 0; i < count; i++) {
        relevo_bytes name, value;
        DO(relevo_session_attribute(session, i, &name, &value));
        printf("  %.*s = %.*s\n", (int)name.len, (const char *)name.data, (int)value.len,
               (const char *)value.data);
    }
    return count;
}

static void session_lives_and_ends(relevo_node *node) {
    relevo_key key = shop("6B94D0F2");
    relevo_session *session;
    EXPECT(RELEVO_RESULT_NOT_FOUND, relevo_node_get(node, &key, &session));
    CHECK(!relevo_node_owns(node, &key));

    // Both attributes appear together or not at all.
    relevo_change first[] = {set("user", "ana"), set("cart", "3 apples")};
    uint32_t copies = 99;
    DO(relevo_node_commit(node, &key, first, 2, 1800, RELEVO_ACK_NONE, &copies));
    CHECK(copies == 1);
    CHECK(relevo_node_owns(node, &key));

    relevo_change second[] = {set("cart", ""), removal("user"), set("lang", "es")};
    DO(relevo_node_commit(node, &key, second, 3, 1800, RELEVO_ACK_NONE, NULL));
    DO(relevo_node_touch(node, &key));

    DO(relevo_node_get(node, &key, &session));
    CHECK(print_session(session) == 2);
    relevo_bytes value;
    DO(relevo_session_find(session, relevo_bytes_of("cart"), &value));
    CHECK(value.len == 0);
    DO(relevo_session_find(session, relevo_bytes_of("lang"), &value));
    CHECK(same(value, "es"));
    EXPECT(RELEVO_RESULT_NOT_FOUND, relevo_session_find(session, relevo_bytes_of("user"), &value));
    CHECK(relevo_session_max_inactive(session) == 1800);
    CHECK(relevo_session_idle_ms(session) < 60000);
    CHECK(!relevo_session_maybe_stale(session));
    relevo_session_free(session);

    DO(relevo_node_invalidate(node, &key, NULL));
    EXPECT(RELEVO_RESULT_NOT_FOUND, relevo_node_get(node, &key, &session));
}

int main(void) {
    versions_agree();
    relevo_config *config = local_config("smoke");
    relevo_node *node;
    DO(relevo_node_open(config, &node));
    relevo_config_free(config);
    session_lives_and_ends(node);
    DO(relevo_node_leave(node, 1000));
    DO(relevo_node_close(node));
    puts("smoke: a session lived and ended");
    return 0;
}
