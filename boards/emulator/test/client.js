// A client that asks nodes for sessions, one request a session at a time, and remembers what it was told. What is there in the end
// is held against that.

/** @typedef {{ may: Set<string>, over: boolean, request: null | { node: string, verb: 'commit' | 'invalidate', value: string, length: number } }} Session */

export class Client {
  /** `may`: values that a session may have by what was told; a single one if it must. 'none': no session. @type {Map<string, Session>} */
  sessions = new Map();
  /** Of values by number. @type {Map<string, number>} */
  lengths = new Map();
  counts = { committed: 0, ended: 0, stale: 0, unknown: 0 };
  /** What no client may ever see. @type {string[]} */
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

  /** Takes the session over and writes to it; nothing if it is asked for already, or was ended. @param {string} node @param {string} session @param {number} length */
  write(node, session, length) {
    const value = String(this.lengths.size + 1);
    this.lengths.set(value, length);
    this.#ask(session, { node, verb: 'commit', value, length });
  }

  /** Takes the session over and ends it. @param {string} node @param {string} session */
  end(node, session) { this.#ask(session, { node, verb: 'invalidate', value: 'none', length: 0 }); }

  /** This node answers nobody any more. @param {string} node */
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

  /** Whoever can't be sure to have the newest contents does nothing, as a careful application. */
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
    // The answer to it may be lost with the node.
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
