// Everything that a caller can do wrong and that a library can notice: each call gives a code and a sentence, writes no
// output, and leaves the library usable.

#include "check.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

// Ends the program unless the sentence of the last failure contains `part`.
#define SAYS(part)                                                                                 \
    do {                                                                                           \
        if (strstr(relevo_last_error(), (part)) == NULL) {                                         \
            fprintf(stderr, "%s:%d: \"%s\" is not in \"%s\"\n", __FILE__, __LINE__, (part),        \
                    relevo_last_error());                                                          \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

static relevo_node *open_alone(void) {
    relevo_config *config = local_config("misuse");
    relevo_node *node;
    DO(relevo_node_open(config, &node));
    relevo_config_free(config);
    return node;
}

static void null_can_be_freed(void) {
    relevo_config_free(NULL);
    relevo_session_free(NULL);
    relevo_members_free(NULL);
    relevo_status_free(NULL);
    relevo_event_free(NULL);
    DO(relevo_node_close(NULL));
}

static void null_settings(void) {
    const relevo_result null = RELEVO_RESULT_NULL_POINTER;
    relevo_config *config = relevo_config_new();
    relevo_bytes no_key = {.data = NULL, .len = 32};
    EXPECT(null, relevo_config_set_name(NULL, "a"));
    SAYS("config");
    EXPECT(null, relevo_config_set_name(config, NULL));
    SAYS("name");
    EXPECT(null, relevo_config_set_cluster(config, NULL));
    EXPECT(null, relevo_config_set_address(config, NULL, 0));
    EXPECT(null, relevo_config_add_seed(config, NULL));
    EXPECT(null, relevo_config_set_keys(config, &no_key, 1));
    EXPECT(null, relevo_config_set_key_file(config, NULL));
    EXPECT(null, relevo_config_set_multicast(NULL, NULL, NULL, 0));
    EXPECT(null, relevo_config_set_role(NULL, RELEVO_ROLE_REPLICA));
    EXPECT(null, relevo_config_set_backups(NULL, 1));
    EXPECT(null, relevo_config_set_capacity(NULL, 1));
    EXPECT(null, relevo_config_set_detection(NULL, 500, 3000));
    EXPECT(null, relevo_config_set_timeouts(NULL, 250, 3000));
    EXPECT(null, relevo_config_set_memory(NULL, 1 << 20, 16));
    EXPECT(null, relevo_config_set_datagram(NULL, 1232));
    EXPECT(null, relevo_config_set_insecure(NULL, 1));
    EXPECT(null, relevo_node_open(config, NULL));
    EXPECT(null, relevo_node_open(NULL, NULL));
    relevo_config_free(config);
}

static void null_calls(relevo_node *node) {
    const relevo_result null = RELEVO_RESULT_NULL_POINTER;
    relevo_key key = shop("N1"), no_id = {.application = relevo_bytes_of("shop")};
    no_id.id.len = 4;
    relevo_change change = set("cart", "1 fig");
    relevo_session *session = NULL;
    EXPECT(null, relevo_node_commit(NULL, &key, &change, 1, 0, 0, NULL));
    SAYS("node");
    EXPECT(null, relevo_node_commit(node, NULL, &change, 1, 0, 0, NULL));
    EXPECT(null, relevo_node_commit(node, &key, NULL, 1, 0, 0, NULL));
    EXPECT(null, relevo_node_commit(node, &no_id, &change, 1, 0, 0, NULL));
    SAYS("id");
    EXPECT(null, relevo_node_get(node, NULL, &session));
    EXPECT(null, relevo_node_get(node, &key, NULL));
    EXPECT(null, relevo_node_fetch(node, &key, NULL, NULL));
    EXPECT(null, relevo_node_fetch(node, NULL, NULL, &session));
    EXPECT(null, relevo_node_invalidate(node, NULL, NULL));
    EXPECT(null, relevo_node_rename(node, NULL, key.id, NULL));
    EXPECT(null, relevo_node_rename(node, &key, no_id.id, NULL));
    EXPECT(null, relevo_node_touch(node, NULL));
    EXPECT(null, relevo_node_members(node, NULL));
    EXPECT(null, relevo_node_next_event(node, 0, NULL));
    EXPECT(null, relevo_node_leave(NULL, 0));
    EXPECT(null, relevo_node_status(node, NULL));
    CHECK(!relevo_node_owns(node, NULL) && !relevo_node_owns(NULL, &key));
    CHECK(session == NULL);
}

static void null_readers(relevo_node *node) {
    relevo_bytes name, value;
    relevo_key key;
    CHECK(relevo_session_count(NULL) == 0);
    CHECK(relevo_session_max_inactive(NULL) == 0 && relevo_session_idle_ms(NULL) == 0);
    CHECK(!relevo_session_maybe_stale(NULL));
    EXPECT(RELEVO_RESULT_NULL_POINTER, relevo_session_attribute(NULL, 0, &name, &value));
    EXPECT(RELEVO_RESULT_NULL_POINTER, relevo_session_find(NULL, relevo_bytes_of("a"), &value));
    CHECK(relevo_members_count(NULL) == 0 && relevo_members_name(NULL, 0) == NULL);
    CHECK(relevo_members_address(NULL, 0) == NULL);
    CHECK(relevo_members_state(NULL, 0) == RELEVO_MEMBER_STATE_NONE);
    CHECK(!relevo_members_is_self(NULL, 0) && relevo_members_malformed(NULL, 0) == 0);
    CHECK(relevo_status_name(NULL) == NULL && relevo_status_address(NULL) == NULL);
    CHECK(relevo_status_sessions(NULL) == 0 && relevo_status_session_limit(NULL) == 0);
    CHECK(!relevo_status_is_ready(NULL) && relevo_status_counter_count(NULL) == 0);
    CHECK(relevo_status_counter_name(NULL, 0) == NULL && relevo_status_counter_value(NULL, 0) == 0);
    CHECK(relevo_event_kind_of(NULL) == RELEVO_EVENT_KIND_NONE);
    CHECK(relevo_event_member(NULL) == NULL);
    EXPECT(RELEVO_RESULT_NULL_POINTER, relevo_event_session(NULL, &key));
    CHECK(relevo_bytes_of(NULL).len == 0);

    relevo_key empty = shop("N2");
    relevo_session *session;
    DO(relevo_node_commit(node, &empty, NULL, 0, 60, RELEVO_ACK_NONE, NULL));
    DO(relevo_node_get(node, &empty, &session));
    EXPECT(RELEVO_RESULT_OUT_OF_RANGE, relevo_session_attribute(session, 0, &name, &value));
    EXPECT(RELEVO_RESULT_NULL_POINTER, relevo_session_attribute(session, 0, NULL, &value));
    relevo_session_free(session);
}

static void settings_that_cannot_be(void) {
    relevo_config *config = local_config("settings");
    unsigned char short_key[31] = {0};
    relevo_bytes key = {.data = short_key, .len = sizeof short_key};
    EXPECT(RELEVO_RESULT_BAD_KEY, relevo_config_set_keys(config, &key, 1));
    SAYS("31");
    SAYS("32");
    EXPECT(RELEVO_RESULT_KEY_FILE, relevo_config_set_key_file(config, "/nonexistent/relevo.key"));
    SAYS("/nonexistent/relevo.key");
    EXPECT(RELEVO_RESULT_BAD_ADDRESS, relevo_config_set_address(config, "tomcat1", 0));
    SAYS("tomcat1");
    EXPECT(RELEVO_RESULT_BAD_ADDRESS, relevo_config_add_seed(config, "127.0.0.1"));
    EXPECT(RELEVO_RESULT_BAD_ADDRESS, relevo_config_set_multicast(config, "10.0.0.1:4", NULL, 0));
    EXPECT(RELEVO_RESULT_BAD_ADDRESS,
           relevo_config_set_multicast(config, "228.0.0.4:45564", "eth0", 0));
    EXPECT(RELEVO_RESULT_OUT_OF_RANGE, relevo_config_set_role(config, 77));
    EXPECT(RELEVO_RESULT_NOT_UTF8, relevo_config_set_name(config, "caf\xe9"));
    relevo_config_free(config);
}

// Opening with `config` gives `code`, a sentence with `part`, and no node.
static void open_fails(relevo_config *config, relevo_result code, const char *part) {
    relevo_node *node = NULL;
    EXPECT(code, relevo_node_open(config, &node));
    SAYS(part);
    CHECK(node == NULL);
    relevo_config_free(config);
}

static void nodes_that_cannot_open(void) {
    relevo_config *config = local_config("exposed");
    DO(relevo_config_set_address(config, "192.0.2.1:0", 0));
    open_fails(config, RELEVO_RESULT_KEY_NEEDED, "key");

    config = local_config("everywhere");
    DO(relevo_config_set_address(config, "0.0.0.0:0", 0));
    open_fails(config, RELEVO_RESULT_BAD_ADDRESS, "0.0.0.0");

    config = local_config("backups");
    DO(relevo_config_set_backups(config, 8));
    open_fails(config, RELEVO_RESULT_BAD_SETTING, "backups");

    char name[66];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    open_fails(local_config(name), RELEVO_RESULT_BAD_SETTING, "name");
}

static void port_in_use(void) {
    int other = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK(other >= 0);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    CHECK(bind(other, (struct sockaddr *)&address, length) == 0);
    CHECK(getsockname(other, (struct sockaddr *)&address, &length) == 0);
    char text[32];
    snprintf(text, sizeof text, "127.0.0.1:%u", (unsigned)ntohs(address.sin_port));

    relevo_config *config = local_config("second");
    DO(relevo_config_set_address(config, text, 0));
    open_fails(config, RELEVO_RESULT_ADDRESS_IN_USE, text);
    close(other);
}

static void lengths_that_cannot_be(relevo_node *node) {
    static char text[(1 << 20) + 2];
    memset(text, 'x', sizeof text - 1);
    relevo_bytes id = {text, 129}, application = {text, 65}, name = {text, 256};
    relevo_bytes huge = {text, sizeof text - 1}, impossible = {text, SIZE_MAX};

    relevo_key key = shop("L1");
    relevo_change change = set("cart", "1 fig");
    relevo_key wrong = {.application = key.application, .id = id};
    EXPECT(RELEVO_RESULT_BAD_LENGTH, relevo_node_commit(node, &wrong, &change, 1, 0, 0, NULL));
    SAYS("128");
    wrong = (relevo_key){.application = application, .id = key.id};
    EXPECT(RELEVO_RESULT_BAD_LENGTH, relevo_node_commit(node, &wrong, &change, 1, 0, 0, NULL));
    wrong = (relevo_key){.application = key.application};
    EXPECT(RELEVO_RESULT_BAD_LENGTH, relevo_node_commit(node, &wrong, &change, 1, 0, 0, NULL));
    wrong = (relevo_key){.application = key.application, .id = impossible};
    EXPECT(RELEVO_RESULT_OUT_OF_RANGE, relevo_node_commit(node, &wrong, &change, 1, 0, 0, NULL));
    change.name = name;
    EXPECT(RELEVO_RESULT_BAD_LENGTH, relevo_node_commit(node, &key, &change, 1, 0, 0, NULL));
    change = set("cart", "");
    change.value = huge;
    EXPECT(RELEVO_RESULT_BAD_LENGTH, relevo_node_commit(node, &key, &change, 1, 0, 0, NULL));
    change.kind = 0;
    EXPECT(RELEVO_RESULT_OUT_OF_RANGE, relevo_node_commit(node, &key, &change, 1, 0, 0, NULL));
    change = set("cart", "1 fig");
    EXPECT(RELEVO_RESULT_OUT_OF_RANGE, relevo_node_commit(node, &key, &change, 1, 0, 0x400, NULL));

    relevo_session *session = NULL;
    EXPECT(RELEVO_RESULT_NOT_FOUND, relevo_node_get(node, &key, &session));
    CHECK(session == NULL);
}

static void absent_things(relevo_node *node) {
    relevo_key key = shop("absent");
    relevo_session *session = NULL;
    relevo_event *event = NULL;
    EXPECT(RELEVO_RESULT_NOT_FOUND, relevo_node_fetch(node, &key, "other", &session));
    EXPECT(RELEVO_RESULT_NOT_FOUND,
           relevo_node_rename(node, &key, relevo_bytes_of("new"), NULL));
    EXPECT(RELEVO_RESULT_NO_EVENT, relevo_node_next_event(node, 0, &event));
    CHECK(session == NULL && event == NULL);
}

static void closed_twice(relevo_node *node) {
    relevo_key key = shop("C1");
    relevo_session *session = NULL;
    DO(relevo_node_close(node));
    EXPECT(RELEVO_RESULT_CLOSED, relevo_node_close(node));
    EXPECT(RELEVO_RESULT_CLOSED, relevo_node_get(node, &key, &session));
    EXPECT(RELEVO_RESULT_CLOSED, relevo_node_leave(node, 0));
    CHECK(!relevo_node_owns(node, &key));
    EXPECT(RELEVO_RESULT_CLOSED, relevo_node_close((relevo_node *)&key));
    CHECK(session == NULL);
}

int main(void) {
    CHECK(strcmp(relevo_last_error(), "") == 0);
    null_can_be_freed();
    null_settings();
    settings_that_cannot_be();
    nodes_that_cannot_open();
    port_in_use();
    relevo_node *node = open_alone();
    null_calls(node);
    null_readers(node);
    lengths_that_cannot_be(node);
    absent_things(node);
    closed_twice(node);
    CHECK(strcmp(relevo_result_message(0), relevo_result_message(RELEVO_RESULT_OK)) != 0);
    puts("misuse: every mistake was named");
    return 0;
}
