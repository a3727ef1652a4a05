// Measures how much time sealing adds to a request: commits that change four bytes of a value, each confirmed by the other node, with
// both nodes in this process and on loopback. Rounds with and without a key take turns. The fastest round of each counts, because other
// work on the machine disturbed it least.

#include "check.h"

#include <time.h>

enum { ROUNDS = 41, COMMITS = 500 };

// The processor time that this process has used.
static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static relevo_node *open_node(const char *name, const char *key, const char *seed) {
    relevo_config *config = local_config(name);
    if (key != NULL) {
        relevo_bytes bytes = {.data = (const uint8_t *)key, .len = 32};
        DO(relevo_config_set_key(config, bytes));
    }
    if (seed != NULL) {
        DO(relevo_config_add_seed(config, seed));
    }
    relevo_node *node;
    DO(relevo_node_open(config, &node));
    relevo_config_free(config);
    return node;
}

// Repeats the commit until the other node confirms, which it does once it is a member.
static void commit(relevo_node *node, char *value, size_t size, uint32_t number) {
    memcpy(value, &number, sizeof number);
    relevo_change change = {.kind = RELEVO_CHANGE_KIND_SET, .name = relevo_bytes_of("cart")};
    change.value.data = (const uint8_t *)value;
    change.value.len = size;
    relevo_key key = shop("A1");
    uint32_t copies = 0;
    do {
        DO(relevo_node_commit(node, &key, &change, 1, 1800, RELEVO_ACK_ALL, &copies));
    } while (copies < 2);
}

static double least(const double *values) {
    double least = values[0];
    for (int i = 1; i < ROUNDS; i++) {
        least = values[i] < least ? values[i] : least;
    }
    return least * 1e6 / COMMITS;
}

int main(int count, char **arguments) {
    CHECK(count == 2);
    size_t size = (size_t)atoi(arguments[1]);
    const char *keys[] = {NULL, "0123456789abcdef0123456789abcdef"};
    relevo_node *nodes[2][2];
    double processor[2][ROUNDS];
    char *value = calloc(1, size);
    CHECK(value != NULL && size >= 4);
    for (int sealed = 0; sealed < 2; sealed++) {
        nodes[sealed][0] = open_node("a", keys[sealed], NULL);
        relevo_status *status;
        DO(relevo_node_status(nodes[sealed][0], &status));
        nodes[sealed][1] = open_node("b", keys[sealed], relevo_status_address(status));
        relevo_status_free(status);
    }
    uint32_t number = 0;
    for (int round = -1; round < ROUNDS; round++) { // the first round is a warm-up
        for (int sealed = 0; sealed < 2; sealed++) {
            double began = seconds();
            for (int i = 0; i < COMMITS; i++) {
                commit(nodes[sealed][0], value, size, number++);
            }
            if (round >= 0) {
                processor[sealed][round] = seconds() - began;
            }
        }
    }
    for (int sealed = 0; sealed < 2; sealed++) {
        printf("%s, %zu bytes, C: %.1f us of processor a commit, at both nodes together\n",
               sealed ? "sealed" : "plain", size, least(processor[sealed]));
        DO(relevo_node_close(nodes[sealed][0]));
        DO(relevo_node_close(nodes[sealed][1]));
    }
    free(value);
    return 0;
}
