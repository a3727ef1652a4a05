// Two nodes change their key while they replicate, and keep an outsider with another key away.

#include <stdlib.h>

#include "check.h"

static unsigned char old_key[33] = "the key that everybody has now..";
static unsigned char new_key[33] = "the key that all will have soon.";
static unsigned char other_key[33] = "a key that nobody of them has...";

static relevo_bytes bytes_of(const unsigned char *key) {
    return (relevo_bytes){.data = key, .len = 32};
}

static relevo_node *open_with(const char *name, const unsigned char *key, const char *seed) {
    relevo_config *config = local_config(name);
    relevo_bytes keys = bytes_of(key);
    relevo_node *node;
    // Slow enough for valgrind.
    DO(relevo_config_set_detection(config, 200, 4000));
    DO(relevo_config_set_keys(config, &keys, 1));
    if (seed) {
        DO(relevo_config_add_seed(config, seed));
    }
    DO(relevo_node_open(config, &node));
    relevo_config_free(config);
    return node;
}

// The text of the first event of this kind.
static char *await(relevo_node *node, relevo_event_kind kind) {
    for (;;) {
        relevo_event *event;
        DO(relevo_node_next_event(node, 60000, &event));
        CHECK(event != NULL);
        int found = relevo_event_kind_of(event) == kind;
        const char *text = relevo_event_text(event);
        char *copy = found && text ? strdup(text) : NULL;
        relevo_event_free(event);
        if (found) {
            return copy;
        }
    }
}

static void seals_with(relevo_node *node, size_t count) {
    relevo_status *status;
    DO(relevo_node_status(node, &status));
    CHECK(strlen(relevo_status_keys(status)) == 9 * count - 1);
    CHECK(!relevo_status_is_insecure(status));
    relevo_status_free(status);
}

static void key_changes(relevo_node *nodes[2]) {
    relevo_bytes old = bytes_of(old_key), new = bytes_of(new_key);
    relevo_bytes steps[3][2] = {{old, new}, {new, old}, {new, {0}}};
    relevo_key key = shop("A1");
    relevo_change change = set("cart", "3 apples");
    for (size_t step = 0; step < 3; step++) {
        size_t count = step < 2 ? 2 : 1;
        for (size_t at = 0; at < 2; at++) {
            DO(relevo_node_set_keys(nodes[at], steps[step], count));
            seals_with(nodes[at], count);
            uint32_t copies = 0;
            DO(relevo_node_commit(nodes[at], &key, &change, 1, 1800, 2, &copies));
            CHECK(copies == 2);
        }
    }
    EXPECT(RELEVO_RESULT_BAD_KEY, relevo_node_set_keys(nodes[0], NULL, 0));
    relevo_bytes twice[2] = {new, new};
    EXPECT(RELEVO_RESULT_BAD_KEY, relevo_node_set_keys(nodes[0], twice, 2));
    EXPECT(RELEVO_RESULT_KEY_FILE, relevo_node_reload_keys(nodes[0]));
    seals_with(nodes[0], 1);
}

static void outsider_is_refused(relevo_node *node, const char *seed) {
    relevo_node *outsider = open_with("outsider", other_key, seed);
    char *line = await(node, RELEVO_EVENT_KIND_REFUSED);
    CHECK(line && strstr(line, "give all nodes the same keys"));
    free(line);
    relevo_members *members;
    DO(relevo_node_members(node, &members));
    CHECK(relevo_members_count(members) == 2);
    relevo_members_free(members);
    DO(relevo_node_close(outsider));
}

int main(void) {
    relevo_node *a = open_with("a", old_key, NULL);
    relevo_status *status;
    DO(relevo_node_status(a, &status));
    const char *seed = relevo_status_address(status);
    relevo_node *b = open_with("b", old_key, seed);
    free(await(a, RELEVO_EVENT_KIND_MEMBER_JOINED));
    free(await(b, RELEVO_EVENT_KIND_MEMBER_JOINED));
    key_changes((relevo_node *[2]){a, b});
    outsider_is_refused(a, seed);
    relevo_status_free(status);
    DO(relevo_node_close(a));
    DO(relevo_node_close(b));
    puts("keys: changed under commits; a stranger stayed outside");
    return 0;
}
