// Relevo for C: web sessions that outlive their server.
//
// Generated from ffi/src by cbindgen; do not edit. Renew it with
//     RELEVO_WRITE_HEADER=1 cargo test -p relevo-ffi --test header
//
// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Conventions, for all functions:
//  - An operation that can fail returns a relevo_result. relevo_result_message names the kind of
//    failure; relevo_last_error says what exactly was wrong, and what to do, to the thread that
//    made the call.
//  - Outputs are the last parameters and are written only when the call succeeds. The only
//    exception is `copies`, which also says how far a call got that was not confirmed in time.
//  - Handles are opaque. What ..._new, ..._open or an output hands out is given back with the
//    ..._free or ..._close of its type. All of these accept NULL.
//  - A pointer that is required and NULL gives RELEVO_RESULT_NULL_POINTER; a reader that returns
//    its value directly gives 0, false or NULL.
//  - Bytes that go in are copied. Bytes and texts that come out belong to the handle they were
//    read from and live as long as it does; bytes that come out are never at NULL, even if none.
//  - A relevo_node may be used by any number of threads at once, and closed while others are in
//    a call. Other handles may be read by many threads, and changed or freed by one alone.
//  - A node belongs to the process that opened it. In a child made by fork every call with it gives
//    RELEVO_RESULT_CLOSED, and nothing is sent; the child may open a node of its own.
//  - The library's threads block all signals, so a program may wait for its own in any thread.
//  - Every call is bounded in time, and none calls back. The calls ..._start_... don't wait for other nodes: what
//    becomes of them is taken with relevo_node_completions. A bug in Relevo ends a call with
//    RELEVO_RESULT_PANIC, not the process.

#ifndef RELEVO_H
#define RELEVO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// A commit's `ack`: don't wait for copies.
#define RELEVO_ACK_NONE 0

// A commit's `ack`: wait for all live nodes that hold the session.
#define RELEVO_ACK_ALL 256

// A commit's `ack`, together with a number as in `RELEVO_ACK_AT_LEAST | 2`: wait for so many
// copies, and write nothing if fewer live nodes could hold one.
#define RELEVO_ACK_AT_LEAST 512

// Major version of this header. Another major version is incompatible; so is another minor version of major 0.
#define RELEVO_VERSION_MAJOR 0

// Minor version of this header: functions may have been added.
#define RELEVO_VERSION_MINOR 1

// Patch version of this header: nothing a caller could see has changed.
#define RELEVO_VERSION_PATCH 0

// The version of this header as one number that grows: 16 bits for the major version, 8 for the
// minor and 8 for the patch version.
#define RELEVO_VERSION_NUMBER (((RELEVO_VERSION_MAJOR << 16) | (RELEVO_VERSION_MINOR << 8)) | RELEVO_VERSION_PATCH)

// The result of a call. Numbers are never reused; zeroed memory is not a result.
//
// The numbers 7000 to 7099 are about the call itself, 7100 to 7199 about settings, 7200 to 7299 about opening a
// node, 7300 to 7399 about sessions, and 7400 to 7499 about members and events.
enum relevo_result
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // It was done.
    RELEVO_RESULT_OK = 7000,
    // A pointer that is required was NULL. Nothing was done.
    RELEVO_RESULT_NULL_POINTER = 7001,
    // A bug in Relevo. The call may have been done in part; other calls go on working.
    RELEVO_RESULT_PANIC = 7002,
    // The pointer isn't an open node: the node was closed, has left or stopped, or never existed.
    RELEVO_RESULT_CLOSED = 7003,
    // A number, an index or an enumerator is outside the range that the function takes. Nothing was done.
    RELEVO_RESULT_OUT_OF_RANGE = 7004,
    // A text isn't UTF-8. Nothing was done.
    RELEVO_RESULT_NOT_UTF8 = 7005,
    // The operation was started. Its outcome comes as a completion.
    RELEVO_RESULT_PENDING = 7006,
    // A setting can't be used; the text of the error names it and the values that are allowed.
    RELEVO_RESULT_BAD_SETTING = 7100,
    // An address isn't written as `127.0.0.1:4000` or `[::1]:4000`.
    RELEVO_RESULT_BAD_ADDRESS = 7101,
    // The cluster key doesn't have 32 bytes.
    RELEVO_RESULT_BAD_KEY = 7102,
    // The file of the cluster key can't be read.
    RELEVO_RESULT_KEY_FILE = 7103,
    // Another program has the port.
    RELEVO_RESULT_ADDRESS_IN_USE = 7200,
    // An address other than loopback needs a key, or the explicit choice to do without.
    RELEVO_RESULT_KEY_NEEDED = 7201,
    // The system refused a socket, a thread or memory.
    RELEVO_RESULT_SYSTEM = 7202,
    // There is no such session or attribute.
    RELEVO_RESULT_NOT_FOUND = 7300,
    // It was done here, but fewer nodes than asked for have confirmed it in time. It goes on in
    // the background; `copies` says how many have confirmed.
    RELEVO_RESULT_NOT_CONFIRMED = 7301,
    // Fewer live nodes than the commit demands could hold a copy. Nothing was written.
    RELEVO_RESULT_TOO_FEW_NODES = 7302,
    // The application, the id, an attribute's name, its value, the session or a message is too long, or an id or a
    // name is empty. Nothing was written.
    RELEVO_RESULT_BAD_LENGTH = 7303,
    // This node's memory is full. Nothing was written.
    RELEVO_RESULT_FULL = 7304,
    // The session was invalidated and can't come back. Nothing was written.
    RELEVO_RESULT_ENDED = 7305,
    // The session isn't as the caller has seen it, or another node owns it. Nothing was written.
    RELEVO_RESULT_CHANGED = 7306,
    // No event within the time given.
    RELEVO_RESULT_NO_EVENT = 7400,
    // No such member is reachable. Nothing was sent.
    RELEVO_RESULT_NO_MEMBER = 7401,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum relevo_result relevo_result;
#else
typedef uint32_t relevo_result;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// The kind of an event. Later versions may add kinds.
enum relevo_event_kind
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // There is no event.
    RELEVO_EVENT_KIND_NONE = 0,
    // A kind for which this header has no name.
    RELEVO_EVENT_KIND_OTHER = 1,
    // A concurrent commit of the same attribute won over this node's commit, which is lost.
    RELEVO_EVENT_KIND_CONFLICT = 2,
    // An idle session whose primary is gone has expired. This node is to end it: fetch it, run its listeners and
    // invalidate it.
    RELEVO_EVENT_KIND_EXPIRED = 3,
    // A session ended on another node: drop cached contents of it.
    RELEVO_EVENT_KIND_INVALIDATED = 4,
    // A session was served before all nodes that may hold a newer copy had answered.
    RELEVO_EVENT_KIND_MAYBE_STALE = 5,
    // A member has not answered for the drop time.
    RELEVO_EVENT_KIND_MEMBER_DOWN = 6,
    // A member is new, or answers again.
    RELEVO_EVENT_KIND_MEMBER_JOINED = 7,
    // A member left the cluster.
    RELEVO_EVENT_KIND_MEMBER_LEFT = 8,
    // A member doesn't answer. It is dead unless it refutes the suspicion in time.
    RELEVO_EVENT_KIND_MEMBER_SUSPECTED = 9,
    // Another node became the session's primary: drop cached contents of it.
    RELEVO_EVENT_KIND_MOVED = 10,
    // Another node that answers has the name of this one: choose another name.
    RELEVO_EVENT_KIND_NAME_TAKEN = 11,
    // Events were lost because they weren't taken in time: check the members and all cached sessions again.
    RELEVO_EVENT_KIND_RESYNC = 12,
    // A new node was refused because the member table is full.
    RELEVO_EVENT_KIND_TABLE_FULL = 13,
    // A new node answers at the address of this member, which had not left.
    RELEVO_EVENT_KIND_ADDRESS_TAKEN = 14,
    // The cluster has more members than fit into this node's table: the node didn't join, or left.
    RELEVO_EVENT_KIND_OUTGROWN = 15,
    // The application of the member sent a message.
    RELEVO_EVENT_KIND_MESSAGE = 16,
    // Another start of this node took its name while this one was stopped. This one has restarted as a
    // new node that holds no session: check the members and all cached sessions again.
    RELEVO_EVENT_KIND_SUPERSEDED = 17,
    // Datagrams were refused for a cause that somebody should look at. relevo_event_text names the cause and the cure.
    // There is at most one event in ten minutes for each cause; the status counts all refusals.
    RELEVO_EVENT_KIND_REFUSED = 18,
    // Sessions have fewer copies than they are to have: relevo_event_count says how many, and 0 when all have
    // them again. It comes when some begin to lack copies and when none does any more, some seconds after that.
    RELEVO_EVENT_KIND_UNDER_REPLICATED = 19,
    // The member, or the node itself, has no room for more copies; others get them.
    RELEVO_EVENT_KIND_MEMBER_FULL = 20,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum relevo_event_kind relevo_event_kind;
#else
typedef uint32_t relevo_event_kind;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// The state of a member. Later versions may add states.
enum relevo_member_state
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // There is no such member in the list.
    RELEVO_MEMBER_STATE_NONE = 0,
    // It answers.
    RELEVO_MEMBER_STATE_ALIVE = 1,
    // It doesn't answer, and is dead unless it refutes the suspicion in time.
    RELEVO_MEMBER_STATE_SUSPECT = 2,
    // It hasn't answered for the drop time.
    RELEVO_MEMBER_STATE_DEAD = 3,
    // It left the cluster.
    RELEVO_MEMBER_STATE_LEFT = 4,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum relevo_member_state relevo_member_state;
#else
typedef uint32_t relevo_member_state;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// The kind of a change of an attribute.
enum relevo_change_kind
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // The attribute gets the value, which may be empty.
    RELEVO_CHANGE_KIND_SET = 1,
    // The attribute is removed; the value is ignored.
    RELEVO_CHANGE_KIND_REMOVE = 2,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum relevo_change_kind relevo_change_kind;
#else
typedef uint32_t relevo_change_kind;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// The role of a node.
enum relevo_role
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // Serves sessions to an application. The default.
    RELEVO_ROLE_APPLICATION = 1,
    // Keeps copies only.
    RELEVO_ROLE_REPLICA = 2,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum relevo_role relevo_role;
#else
typedef uint32_t relevo_role;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// The ends of operations that were started, in the order in which they ended. The list doesn't change; sessions read from it
// are valid until relevo_completions_free.
typedef struct relevo_completions relevo_completions;

// The settings of a node that is to be opened. Each has a default; most nodes need a name, an
// address and a key.
typedef struct relevo_config relevo_config;

// Something that happened. Texts and bytes read from it are valid until relevo_event_free.
typedef struct relevo_event relevo_event;

// A running node. Several threads may use it at the same time.
//
// The pointer is a number under which the library finds the node, not an address: a call with a
// node that was closed already, even twice, gives RELEVO_RESULT_CLOSED and harms nothing.
typedef struct relevo_node relevo_node;

// The members as a node saw them when it was asked, the node itself included. The list doesn't change; texts
// read from it are valid until relevo_members_free.
typedef struct relevo_members relevo_members;

// The contents of a session when it was read. They don't change; texts and bytes read from them are valid until
// relevo_session_free.
typedef struct relevo_session relevo_session;

// The sessions of an application that a node had when it was asked. The list doesn't change; ids read from it are valid
// until relevo_sessions_free.
typedef struct relevo_sessions relevo_sessions;

// The state of a node when it was asked. It doesn't change; texts read from it are valid until
// relevo_status_free.
typedef struct relevo_status relevo_status;

// Borrowed bytes. NULL with length 0 is the empty sequence.
typedef struct {
    // The address of the first byte.
    const void *data;
    // The number of bytes.
    size_t len;
} relevo_bytes;

// The key of a session: its application and its id. The same id in two applications names two sessions.
typedef struct {
    // The application, such as "shop"; a Tomcat's is `host#context`. At most 64 bytes.
    relevo_bytes application;
    // The id without the route: of `6B94.node1` it is `6B94`. 1 to 128 bytes.
    relevo_bytes id;
} relevo_key;

// One change of a commit.
typedef struct {
    // A relevo_change_kind. Zero isn't one, so that a missing kind is an error.
    uint32_t kind;
    // The attribute. At most 255 bytes.
    relevo_bytes name;
    // The new value.
    relevo_bytes value;
} relevo_change;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// The bytes of a text that ends with a NUL byte, without that byte. They belong to the text.
// NULL gives the empty sequence.
relevo_bytes relevo_bytes_of(const char *text);

// Frees the list. NULL is allowed.
void relevo_completions_free(relevo_completions *completions);

// The number of completions in the list.
size_t relevo_completions_count(const relevo_completions *completions);

// The context that was given when the operation at `index`, counted from 0, was started. NULL beyond the end.
void *relevo_completions_context(const relevo_completions *completions,
                                 size_t index);

// How the operation at `index` ended: with a result that the function without `start` in its name could have given
// after its wait. RELEVO_RESULT_CLOSED: the node was closed or left before the outcome was known.
// RELEVO_RESULT_OUT_OF_RANGE beyond the end.
relevo_result relevo_completions_result(const relevo_completions *completions,
                                        size_t index);

// The number of nodes that are known to have the change or the message, or to know of the end, this one included. It is 0
// for a fetch and beyond the end.
uint32_t relevo_completions_copies(const relevo_completions *completions,
                                   size_t index);

// The version that a conditional commit at `index` made; 0 for other operations and beyond the end.
uint64_t relevo_completions_version(const relevo_completions *completions,
                                    size_t index);

// The session that a fetch at `index` found. It belongs to the list and must not be freed. It is NULL if there is
// no such session, for other operations and beyond the end.
const relevo_session *relevo_completions_session(const relevo_completions *completions,
                                                 size_t index);

// The version of a session that this node owns: another one after every change and after every move to another
// node, and never 0. RELEVO_RESULT_CHANGED: this node doesn't own the session; fetch it.
relevo_result relevo_node_version(const relevo_node *node,
                                  const relevo_key *key,
                                  uint64_t *version);

// Compare and set: does what relevo_node_commit does if this node owns the session and has it in the version `base`, which
// relevo_session_version, relevo_node_version or an earlier commit gave. With 0, if this node doesn't know the session.
// RELEVO_RESULT_CHANGED: nothing was written; fetch the session and look again. `version`, which may be NULL, gets the version
// that the commit made, even if it isn't confirmed in time.
//
// While the nodes that hold the session can reach each other, of several such changes from one version one alone
// is made. Across a split, or after a live primary was taken for dead, each side decides for itself: see
// relevo_session_maybe_stale. It is no lock for what must not happen twice.
relevo_result relevo_node_commit_from(const relevo_node *node,
                                      const relevo_key *key,
                                      uint64_t base,
                                      const relevo_change *changes,
                                      size_t count,
                                      uint32_t max_inactive,
                                      uint32_t ack,
                                      uint64_t *version,
                                      uint32_t *copies);

// Does what relevo_node_invalidate does if this node owns the session and has it in the version `base`.
// RELEVO_RESULT_CHANGED: nothing was ended; fetch the session and look again.
relevo_result relevo_node_invalidate_from(const relevo_node *node,
                                          const relevo_key *key,
                                          uint64_t base,
                                          uint32_t *copies);

// Makes settings with all defaults. Free them with relevo_config_free.
relevo_config *relevo_config_new(void);

// Frees settings. Nodes that were opened with them go on. NULL is allowed.
void relevo_config_free(relevo_config *config);

// The name of the cluster; nodes of other clusters are refused. Default "relevo".
relevo_result relevo_config_set_cluster(relevo_config *config, const char *cluster);

// The node's name, unique in the cluster, at most 64 bytes. Behind a load balancer, use the balancer's name for this
// server (its route). If it is empty, the default, the name is the bound address.
relevo_result relevo_config_set_name(relevo_config *config,
                                     const char *name);

// The address to bind and to announce, such as "192.168.1.7:4000" or "[fd00::7]:4000"; port 0
// takes any free one. If the port is taken, up to `auto_bind` ports above it are tried. Default
// "127.0.0.1:4000" and 100.
relevo_result relevo_config_set_address(relevo_config *config,
                                        const char *address,
                                        uint16_t auto_bind);

// One more address to contact until a member answers, such as "192.168.1.8:4000".
relevo_result relevo_config_add_seed(relevo_config *config, const char *seed);

// Finds other nodes by multicast to `group`, by default "228.0.0.4:45564", or with NULL by seeds
// only. `bind` is the address of the interface to use, or NULL for that of the node;
// `ttl` is the time to live of the datagrams in hops, or 0 for the system's default.
relevo_result relevo_config_set_multicast(relevo_config *config,
                                          const char *group,
                                          const char *bind,
                                          uint8_t ttl);

// The cluster's keys, the same on every node: `count` keys of 32 bytes each, at most 4. The node seals with the first, and
// opens with all of them. Without a key a node binds loopback addresses only. The library zeroes its copies.
relevo_result relevo_config_set_keys(relevo_config *config,
                                     const relevo_bytes *keys,
                                     size_t count);

// Takes the cluster's keys from a file that `relevo keygen` or `relevo keys` wrote, when the node is
// opened, and again with relevo_node_reload_keys.
relevo_result relevo_config_set_key_file(relevo_config *config,
                                         const char *path);

// Whether the node may bind an address other than loopback without a key: 0, the default, or 1. With 1, anybody who
// reaches the address can read and change every session.
relevo_result relevo_config_set_insecure(relevo_config *config,
                                         uint32_t insecure);

// The role of the node: a relevo_role.
relevo_result relevo_config_set_role(relevo_config *config, uint32_t role);

// The number of backups of each session: 0 to 7. Default 1.
relevo_result relevo_config_set_backups(relevo_config *config, uint8_t backups);

// The node's weight when copies are placed: one of 32 gets twice as many as one of 16, the
// default. 1 to 255.
relevo_result relevo_config_set_capacity(relevo_config *config, uint8_t capacity);

// The times of failure detection, in milliseconds: the time between two probes (default 500), and the
// longest time from a crash to the member's removal (default 3000). Both must be the same
// on every node of a cluster, and the second must be at least twice the first.
relevo_result relevo_config_set_detection(relevo_config *config,
                                          uint32_t frequency_ms,
                                          uint32_t drop_time_ms);

// The longest waits, in milliseconds: for the nodes that may know a session or must learn of
// its end (default 250), and for the copies of a commit or a rename (default 3000).
relevo_result relevo_config_set_timeouts(relevo_config *config,
                                         uint32_t fetch_ms,
                                         uint32_t ack_ms);

// For how long, in milliseconds, commits gather that wait for no copy, while others are on their way (default 1). Such a
// change is lost if the process is killed before. 0: each commit is sent at once.
relevo_result relevo_config_set_group(relevo_config *config,
                                      uint32_t group_ms);

// The limits of the node: bytes for the contents of sessions (default 64 MiB), of which one session
// takes at most a tenth and at most 4 MiB; and the number of sessions (default 65536). The memory is
// allocated once, when the node is opened.
relevo_result relevo_config_set_memory(relevo_config *config,
                                       size_t bytes,
                                       size_t sessions);

// The largest datagram to send, in bytes of UDP payload: 512 to 65507. The default, 1232, passes
// every network.
relevo_result relevo_config_set_datagram(relevo_config *config,
                                         uint32_t bytes);

// Frees an event. NULL is allowed.
void relevo_event_free(relevo_event *event);

// The kind of an event.
relevo_event_kind relevo_event_kind_of(const relevo_event *event);

// The name of the member that the event is about, or NULL if it is about none.
const char *relevo_event_member(const relevo_event *event);

// A line for the log about a RELEVO_EVENT_KIND_REFUSED, or NULL for other events.
const char *relevo_event_text(const relevo_event *event);

// The number of sessions of a RELEVO_EVENT_KIND_UNDER_REPLICATED; 0 of others.
uint32_t relevo_event_count(const relevo_event *event);

// The bytes of a message; relevo_event_member names the sender. RELEVO_RESULT_NOT_FOUND: the event
// isn't a message.
relevo_result relevo_event_message(const relevo_event *event,
                                   relevo_bytes *message);

// The session that the event is about. RELEVO_RESULT_NOT_FOUND: it isn't about a session.
relevo_result relevo_event_session(const relevo_event *event, relevo_key *key);

// The text of the last failure on this thread: what went wrong, and what to do about it.
// It is UTF-8, empty if no call has failed yet, and never NULL. The next call on this
// thread that fails overwrites it.
const char *relevo_last_error(void);

// Frees the list. NULL is allowed.
void relevo_members_free(relevo_members *members);

// The number of members in the list.
size_t relevo_members_count(const relevo_members *members);

// The name of the member at `index`, counted from 0, or NULL beyond the end.
const char *relevo_members_name(const relevo_members *members, size_t index);

// The address of the member at `index`, such as "192.168.1.7:4000", or NULL beyond the end.
const char *relevo_members_address(const relevo_members *members, size_t index);

// The state of the member at `index`.
relevo_member_state relevo_members_state(const relevo_members *members, size_t index);

// The number of malformed messages from the member at `index`. If it is above 0, its program or its machine
// is faulty. It is 0 beyond the end.
uint32_t relevo_members_malformed(const relevo_members *members,
                                  size_t index);

// Whether the member at `index` is the node that was asked.
bool relevo_members_is_self(const relevo_members *members, size_t index);

// Binds the sockets, starts the node's thread and begins to look for other nodes. It doesn't wait for them:
// a node without peers serves its own sessions. `config` can be used again, or freed.
relevo_result relevo_node_open(const relevo_config *config,
                               relevo_node **node);

// Seals with the first of `count` keys from now on, and opens with each of them. There are at most 4 keys, of 32
// bytes each. A cluster changes its key in three steps, each on every node before the next: the old key and the new one,
// the new one and the old one, only the new one. RELEVO_RESULT_BAD_KEY: the keys can't be used together, or the node was
// opened without one; it keeps its former keys.
relevo_result relevo_node_set_keys(const relevo_node *node,
                                   const relevo_bytes *keys,
                                   size_t count);

// Reads the key file with which the node was opened again, and sets its keys as
// relevo_node_set_keys does.
relevo_result relevo_node_reload_keys(const relevo_node *node);

// Hands over the sessions that others lack, tells the others that this node leaves, waits at most `timeout_ms` for their
// answers, and stops the node. Afterwards its port is free, its events can still be
// taken, and relevo_node_close must still be called. Only `timeout_ms` bounds it: a slow network needs
// seconds for each ten megabytes, so allow 60,000. Meanwhile relevo_status_sessions_owed is the number of sessions
// that are still to be handed over. RELEVO_RESULT_NOT_CONFIRMED: the node has left, but others may lack some sessions, or
// may not know of the leave.
relevo_result relevo_node_leave(const relevo_node *node,
                                uint32_t timeout_ms);

// Stops the node. Unless it has left, the others aren't told and see a crash. Calls under way on
// other threads end at once with RELEVO_RESULT_CLOSED, and what was started has no completion any more.
// NULL is allowed.
relevo_result relevo_node_close(relevo_node *node);

// Applies `count` changes to a session together, creates it if it doesn't exist, makes this node
// its primary, and sends the changes to the nodes that hold copies. No changes at all write the
// takeover and `max_inactive` only.
//
// `max_inactive` is the number of seconds after which the session ends if nobody uses it; 0 means
// never. `ack` says how many copies to wait for: RELEVO_ACK_NONE, a number (this node's own copy
// is the first), RELEVO_ACK_ALL, or RELEVO_ACK_AT_LEAST with a number. `copies`, which may be
// NULL, gets the number of copies known to exist.
//
// RELEVO_RESULT_NOT_CONFIRMED: it is written here, but there weren't so many copies in time.
relevo_result relevo_node_commit(const relevo_node *node,
                                 const relevo_key *key,
                                 const relevo_change *changes,
                                 size_t count,
                                 uint32_t max_inactive,
                                 uint32_t ack,
                                 uint32_t *copies);

// This node's copy of a session. No other node is asked, so it is certainly the newest only while
// relevo_node_owns gives true. RELEVO_RESULT_NOT_FOUND: this node has no copy.
// Free the result with relevo_session_free.
relevo_result relevo_node_get(const relevo_node *node,
                              const relevo_key *key,
                              relevo_session **session);

// Makes this node the primary of a session, and reads the newest contents that its live holders have. Call it
// at the first request for a session that this node doesn't own. `hint` is the name
// of the node that served the session last, if the id that the client sent ends with one, or NULL.
// RELEVO_RESULT_NOT_FOUND: there is no such session, or it has ended. Free the result with
// relevo_session_free.
relevo_result relevo_node_fetch(const relevo_node *node,
                                const relevo_key *key,
                                const char *hint,
                                relevo_session **session);

// Whether this node owns the session and may serve it without asking others.
bool relevo_node_owns(const relevo_node *node, const relevo_key *key);

// Ends a session everywhere and waits for the live nodes that hold it. `copies`, which may be
// NULL, gets the number of nodes that have confirmed the end, this one included.
// RELEVO_RESULT_NOT_CONFIRMED: it is ended here, but not all of them confirmed in time.
relevo_result relevo_node_invalidate(const relevo_node *node,
                                     const relevo_key *key,
                                     uint32_t *copies);

// Gives a session a new id atomically: no node ever sees both, and the old id is ended. `copies`,
// which may be NULL, gets the number of copies known to exist. RELEVO_RESULT_NOT_FOUND: this node
// doesn't have the session; fetch it first. RELEVO_RESULT_BAD_LENGTH: the new id has a length
// that can't be kept, or is in use.
relevo_result relevo_node_rename(const relevo_node *node,
                                 const relevo_key *key,
                                 relevo_bytes new_id,
                                 uint32_t *copies);

// Records that a session was used without a change. It is cheap: other nodes are told only now and then.
relevo_result relevo_node_touch(const relevo_node *node,
                                const relevo_key *key);

// Sends a message of at most 1,024 bytes to the application of the member called `to`, or of all
// members that run one if it is NULL. Each gets it as an event, RELEVO_EVENT_KIND_MESSAGE, in the
// order of sending, and once. Waits at most `timeout_ms` until all have taken it; 0 doesn't wait.
// `copies`, which may be NULL, gets the number of nodes known to have it, this one included.
//
// RELEVO_RESULT_NOT_CONFIRMED: sent, but not taken by all in time; it goes on in the background.
// RELEVO_RESULT_FULL: too many messages wait already. RELEVO_RESULT_NO_MEMBER: no member has the name `to`,
// or it can't be reached.
relevo_result relevo_node_send(const relevo_node *node,
                               const char *to,
                               relevo_bytes message,
                               uint32_t timeout_ms,
                               uint32_t *copies);

// The members of the cluster as this node sees them, itself included. Free the list with
// relevo_members_free.
relevo_result relevo_node_members(const relevo_node *node, relevo_members **members);

// The state of the node. Free it with relevo_status_free.
relevo_result relevo_node_status(const relevo_node *node, relevo_status **status);

// Waits at most `timeout_ms` for the next event. RELEVO_RESULT_NO_EVENT: there was none.
// Each event is given once, to one of the threads that ask. Free it with relevo_event_free.
relevo_result relevo_node_next_event(const relevo_node *node,
                                     uint32_t timeout_ms,
                                     relevo_event **event);

// The general meaning of `result`, such as "the port is taken by another program". It is never NULL, and must not be
// freed. relevo_last_error has the particulars.
const char *relevo_result_message(uint32_t result);

// Frees the contents that were read. The session itself goes on. NULL is allowed.
void relevo_session_free(relevo_session *session);

// The number of attributes of the session.
size_t relevo_session_count(const relevo_session *session);

// Name and value of one attribute, counted from 0, in no particular order.
relevo_result relevo_session_attribute(const relevo_session *session,
                                       size_t index,
                                       relevo_bytes *name,
                                       relevo_bytes *value);

// The value of the attribute called `name`; RELEVO_RESULT_NOT_FOUND if there is none.
relevo_result relevo_session_find(const relevo_session *session,
                                  relevo_bytes name,
                                  relevo_bytes *value);

// Seconds after which the session ends if nobody uses it; 0 means never.
uint32_t relevo_session_max_inactive(const relevo_session *session);

// Milliseconds since the session was last used, as far as this node knew when it was read.
uint64_t relevo_session_idle_ms(const relevo_session *session);

// The version of the contents: see relevo_node_commit_from.
uint64_t relevo_session_version(const relevo_session *session);

// Whether some node that may know newer changes didn't answer in time.
bool relevo_session_maybe_stale(const relevo_session *session);

// Lists the sessions of an application that this node has: those that it owns, and the copies that it keeps for other nodes. No
// other node is asked, and this node becomes the primary of none. Sessions that begin, end or get a new id meanwhile
// may be missing. Read one with relevo_node_get. Free the list with relevo_sessions_free.
relevo_result relevo_node_sessions(const relevo_node *node,
                                   relevo_bytes application,
                                   relevo_sessions **sessions);

// Frees the list. NULL is allowed.
void relevo_sessions_free(relevo_sessions *sessions);

// The number of sessions in the list.
size_t relevo_sessions_count(const relevo_sessions *sessions);

// The id of the session at `index`, counted from 0; no bytes beyond the end.
relevo_bytes relevo_sessions_id(const relevo_sessions *sessions, size_t index);

// Whether the node owned the session at `index`; otherwise it had a copy.
bool relevo_sessions_owned(const relevo_sessions *sessions, size_t index);

// Seconds after which the session at `index` ends if nobody uses it; 0 means never.
uint32_t relevo_sessions_max_inactive(const relevo_sessions *sessions, size_t index);

// Milliseconds since the session at `index` was last used, as far as the node knew.
uint64_t relevo_sessions_idle_ms(const relevo_sessions *sessions, size_t index);

// The version of the contents that the node had of the session at `index`: see relevo_node_commit_from.
uint64_t relevo_sessions_version(const relevo_sessions *sessions,
                                 size_t index);

// Does what relevo_node_commit does, except for the waiting. RELEVO_RESULT_PENDING: the changes are written here and on
// their way, and a completion with `context` comes. Any other result is the final one, and no completion comes.
relevo_result relevo_node_start_commit(const relevo_node *node,
                                       const relevo_key *key,
                                       const relevo_change *changes,
                                       size_t count,
                                       uint32_t max_inactive,
                                       uint32_t ack,
                                       void *context,
                                       uint32_t *copies);

// Does what relevo_node_commit_from does, except for the waiting. RELEVO_RESULT_PENDING: the changes are written here and on
// their way, and a completion with `context` comes, which has the version too. Any other result is the final one, and no
// completion comes.
relevo_result relevo_node_start_commit_from(const relevo_node *node,
                                            const relevo_key *key,
                                            uint64_t base,
                                            const relevo_change *changes,
                                            size_t count,
                                            uint32_t max_inactive,
                                            uint32_t ack,
                                            void *context,
                                            uint64_t *version,
                                            uint32_t *copies);

// Does what relevo_node_fetch does, except for the waiting. RELEVO_RESULT_PENDING: other nodes are being asked, and a
// completion with `context` comes, which has the session. Any other result is the final one, and no completion
// comes.
relevo_result relevo_node_start_fetch(const relevo_node *node,
                                      const relevo_key *key,
                                      const char *hint,
                                      void *context,
                                      relevo_session **session);

// Does what relevo_node_invalidate does, except for the waiting. RELEVO_RESULT_PENDING: the session is ended here, others are
// being told, and a completion with `context` comes. Any other result is the final one, and no completion comes.
relevo_result relevo_node_start_invalidate(const relevo_node *node,
                                           const relevo_key *key,
                                           void *context,
                                           uint32_t *copies);

// Does what relevo_node_invalidate_from does, except for the waiting. RELEVO_RESULT_PENDING: the session is ended here, others
// are being told, and a completion with `context` comes. Any other result is the final one, and no completion comes.
relevo_result relevo_node_start_invalidate_from(const relevo_node *node,
                                                const relevo_key *key,
                                                uint64_t base,
                                                void *context,
                                                uint32_t *copies);

// Does what relevo_node_rename does, except for the waiting. RELEVO_RESULT_PENDING: the session has its new id here, others are
// being told, and a completion with `context` comes. Any other result is the final one, and no completion comes.
relevo_result relevo_node_start_rename(const relevo_node *node,
                                       const relevo_key *key,
                                       relevo_bytes new_id,
                                       void *context,
                                       uint32_t *copies);

// Does what relevo_node_send does, except for the waiting. RELEVO_RESULT_PENDING: the message is on its way, and a completion
// with `context` comes when all have taken it, or when it is given up. Any other result is the final one, and no
// completion comes.
relevo_result relevo_node_start_send(const relevo_node *node,
                                     const char *to,
                                     relevo_bytes message,
                                     void *context,
                                     uint32_t *copies);

// Waits at most `timeout_ms` for completions, and takes some of them; 0 doesn't wait. Each is given once, to one of the
// threads that ask. The list is empty if there was none in time; free it with relevo_completions_free.
// RELEVO_RESULT_CLOSED: the node was closed, or has left and all completions were taken.
//
// A program that starts operations must take their completions: at most 4,096 operations may be started and not taken, and
// further ones end at once, not confirmed. relevo_node_close drops completions that weren't taken.
relevo_result relevo_node_completions(const relevo_node *node,
                                      uint32_t timeout_ms,
                                      relevo_completions **completions);

// A descriptor for poll or epoll, which is readable while relevo_node_completions has something to give, and once the node has
// left. It may be readable for nothing. It belongs to the node: relevo_node_close closes it, and only
// relevo_node_completions may read from it. RELEVO_RESULT_SYSTEM: the system has no descriptor left.
relevo_result relevo_node_completion_descriptor(const relevo_node *node,
                                                int *descriptor);

// Frees a status. The node goes on. NULL is allowed.
void relevo_status_free(relevo_status *status);

// The node's name, or NULL for a status that is NULL.
const char *relevo_status_name(const relevo_status *status);

// The address at which others reach the node, its port the one that was really bound; or NULL
// for a status that is NULL.
const char *relevo_status_address(const relevo_status *status);

// The ids of the node's keys, separated by spaces. Each has eight hexadecimal digits, which don't reveal the key. The node
// seals with the first. If the text is empty, nothing is sealed. It is NULL for a status that is NULL.
const char *relevo_status_keys(const relevo_status *status);

// Whether anybody who reaches the node's address can read and change every session, because it has no key and its address
// isn't a loopback address.
bool relevo_status_is_insecure(const relevo_status *status);

// Whether all copies of all sessions of the cluster are there, as far as the node knows, and it has room
// for more. It is no for some seconds after members came or went, until all have counted.
bool relevo_status_is_ready(const relevo_status *status);

// Live sessions of which the node has a copy, its own and those of others.
uint32_t relevo_status_sessions(const relevo_status *status);

// Live sessions, and ended ones that are still remembered, of which the node can have a copy.
uint32_t relevo_status_session_limit(const relevo_status *status);

// Live sessions of which a live member lacks something that the node is to send. An idle node has none; for a node that
// leaves, these are the sessions that are still to be handed over.
uint32_t relevo_status_sessions_owed(const relevo_status *status);

// Sessions whose copies the node looks after, as their primary or for a dead one, and that have fewer than they
// are to have; UINT32_MAX while they aren't counted yet, some seconds after members came or went.
uint32_t relevo_status_under_replicated(const relevo_status *status);

// The same of all other live members together, as they said last.
uint32_t relevo_status_under_replicated_elsewhere(const relevo_status *status);

// Whether the node has hardly room for another session.
bool relevo_status_is_full(const relevo_status *status);

// The number of counters of the status. They count what was sent, accepted, refused, lost and repeated since the
// node was opened.
size_t relevo_status_counter_count(const relevo_status *status);

// The name of the counter at `index`, counted from 0, such as "refused_forged", or NULL beyond the
// end. Later versions may add counters anywhere.
const char *relevo_status_counter_name(const relevo_status *status,
                                       size_t index);

// The value of the counter at `index`, or 0 beyond the end.
uint64_t relevo_status_counter_value(const relevo_status *status, size_t index);

// The version of the library at run time, such as "0.1.0". Never freed.
const char *relevo_version(void);

// The version of the library at run time, to compare with RELEVO_VERSION_NUMBER.
uint32_t relevo_version_number(void);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* RELEVO_H */
