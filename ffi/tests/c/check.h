// What the test programs share: checks that say where they failed and what the library said.

#ifndef CHECK_H
#define CHECK_H

#include "relevo.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Ends the program unless `condition` holds.
#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

// Ends the program unless `call` gives `code`.
#define EXPECT(code, call) expect((code), (call), #call, __FILE__, __LINE__)

// Ends the program unless `call` succeeds.
#define DO(call) EXPECT(RELEVO_RESULT_OK, call)

static inline void expect(relevo_result expected, relevo_result result, const char *call,
                          const char *file, int line) {
    if (result == expected) {
        return;
    }
    fprintf(stderr, "%s:%d: %s\n  gave %u (%s), not %u (%s); last error: %s\n", file, line, call,
            (unsigned)result, relevo_result_message(result), (unsigned)expected,
            relevo_result_message(expected), relevo_last_error());
    exit(1);
}

// Whether `bytes` are those of `text`.
static inline int same(relevo_bytes bytes, const char *text) {
    return bytes.len == strlen(text) && memcmp(bytes.data, text, bytes.len) == 0;
}

// The key of a session of the application "shop".
static inline relevo_key shop(const char *id) {
    relevo_key key = {.application = relevo_bytes_of("shop"), .id = relevo_bytes_of(id)};
    return key;
}

// A change that sets an attribute to a text.
static inline relevo_change set(const char *name, const char *value) {
    relevo_change change = {.kind = RELEVO_CHANGE_KIND_SET,
                            .name = relevo_bytes_of(name),
                            .value = relevo_bytes_of(value)};
    return change;
}

// A change that removes an attribute.
static inline relevo_change removal(const char *name) {
    relevo_change change = {.kind = RELEVO_CHANGE_KIND_REMOVE, .name = relevo_bytes_of(name)};
    return change;
}

// Settings for a node on any free port of this machine that looks for others by seeds alone.
static inline relevo_config *local_config(const char *name) {
    relevo_config *config = relevo_config_new();
    CHECK(config != NULL);
    DO(relevo_config_set_name(config, name));
    DO(relevo_config_set_address(config, "127.0.0.1:0", 0));
    DO(relevo_config_set_multicast(config, NULL, NULL, 0));
    DO(relevo_config_set_memory(config, 4 << 20, 256));
    return config;
}

#endif
