// A client that sends requests to nodes, for each session one at a time, and remembers the answers. In the end the tests compare the
// copies on nodes and boards with them.

/** @typedef {{ may: Set<string>, over: boolean, request: null | { node: string, verb: 'commit' | 'invalidate', value: string, length: number } }} Session */

export class Client {
  /** For each session, `may` holds the values that it may have according to the answers; a single one if it must have that. 'none' means no session. @type {Map<string, Session>} */
  sessions = new Map();
  /** The lengths of values, by number. @type {Map<string, number>} */
  lengths = new Map();
  counts = { committed: 0, ended: 0, stale: 0, unknown: 0 };
  /** Observations that no client may ever make. @type {string[]} */
  wrong = [];

  /** @param {import('../lockstep/world.js').World} world @param {number} copies that each commit waits for */
  constructor(world, copies) {
    this.world = world;
    this.copies = copies;
    world.onSaid = ([, kind, node, ...said]) => {
      if (kind === 'done') this.#done(node, ...said);
      if (kind === 'reads') this.#reads(node, ...said);
    };
  }

  /** Takes the session over and writes to it. Does nothing if a request for it is under way, or if it was ended. @param {string} node @param {string} session @param {number} length */
  write(node, session, length) {
    const value = String(this.lengths.size + 1);
    this.lengths.set(value, length);
    this.#ask(session, { node, verb: 'commit', value, length });
  }

  /** Takes the session over and ends it. @param {string} node @param {string} session */
  end(node, session) { this.#ask(session, { node, verb: 'invalidate', value: 'none', length: 0 }); }

  /** Ends the requests to a node that doesn't answer any more. @param {string} node */
  forget(node) {
    for (const session of this.sessions.values()) if (session.request?.node === node) { session.request = null; this.counts.unknown++; }
  }

  get isWaiting() { return [...this.sessions.values()].some(({ request }) => request); }

  #ask(name, request) {
    if (!this.sessions.has(name)) this.sessions.set(name, { may: new Set(['none']), over: false, request: null });
    const session = this.sessions.get(name);
    if (session.request || session.over) return;
    session.request = request;
    this.world.command('fetch', request.node, name);
  }

  #done(node, verb, name, outcome) {
    const session = this.sessions.get(name);
    if (!session || session.request?.node !== node) return;
    if (verb === 'fetch') this.#fetched(name, session, outcome);
    else this.#answered(name, session, outcome);
  }

  /** Continues a request after its fetch. If the contents may be stale it does nothing, as a careful application would. */
  #fetched(name, session, outcome) {
    const { node, verb, value, length } = session.request;
    if (!outcome.includes('maybe_stale:false')) { session.request = null; this.counts.stale++; return; }
    this.world.command('read', node, name);
    if (verb === 'commit') this.world.command('commit', node, name, value, length, this.copies);
    else this.world.command('invalidate', node, name);
  }

  #reads(node, name, value, length) {
    const session = this.sessions.get(name);
    if (!session || session.request?.node !== node) return;
    if (!session.may.has(value) || Number(length) !== (this.lengths.get(value) ?? 0)) {
      this.wrong.push(`${name} at ${node}: ${value} of ${length} bytes, told ${[...session.may].join()}`);
    }
    // The node may fail before it answers, so both values are possible.
    session.may.add(session.request.value);
  }

  #answered(name, session, outcome) {
    const { verb, value } = session.request;
    session.request = null;
    if (outcome === 'Ended') {
      if (!session.may.has('none')) this.wrong.push(`${name} has ended, told ${[...session.may].join()}`);
      session.may.delete(value);
      session.over = true;
    } else if (outcome.includes('met:true')) {
      session.may = new Set([value]);
      session.over = verb === 'invalidate';
      this.counts[session.over ? 'ended' : 'committed']++;
    } else {
      this.counts.unknown++;
    }
  }
}
