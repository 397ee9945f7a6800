/** Tables of the embedded ledger. */

/**
 * Version 1. windows: what of a budget is spent and held. rates: the clock of each. slots: exchanges at once. frozen: what people
 * have closed.
 */
export const SCHEMA = `
CREATE TABLE IF NOT EXISTS windows (
  part TEXT NOT NULL, id TEXT NOT NULL, end_ms INTEGER NOT NULL,
  spent INTEGER NOT NULL, held INTEGER NOT NULL, lim INTEGER NOT NULL, granted INTEGER NOT NULL,
  PRIMARY KEY (part, id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS windows_end ON windows (end_ms);
CREATE TABLE IF NOT EXISTS rates (
  part TEXT NOT NULL, id TEXT NOT NULL, tat_us INTEGER NOT NULL, cost_us INTEGER NOT NULL, burst INTEGER NOT NULL,
  PRIMARY KEY (part, id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS slots (
  part TEXT NOT NULL, id TEXT NOT NULL, used INTEGER NOT NULL, lim INTEGER NOT NULL,
  PRIMARY KEY (part, id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS exchanges (
  part TEXT NOT NULL, id TEXT NOT NULL, state INTEGER NOT NULL, due_ms INTEGER NOT NULL, rule TEXT NOT NULL, claims TEXT NOT NULL,
  PRIMARY KEY (part, id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS exchanges_due ON exchanges (due_ms);
CREATE TABLE IF NOT EXISTS frozen (part TEXT NOT NULL, id TEXT NOT NULL, PRIMARY KEY (part, id)) WITHOUT ROWID;
PRAGMA user_version = 1;
`;

/**
 * Version 2. Exchanges that run (`leases`) stand apart from those that are over (`ended`): the few rows that each call writes more
 * than once stay together on a page or two, and the many that are only remembered are written once, at the end of their table.
 */
const EXCHANGES_APART = `
CREATE TABLE leases (
  part TEXT NOT NULL, id TEXT NOT NULL, due_ms INTEGER NOT NULL, rule TEXT NOT NULL, claims TEXT NOT NULL,
  PRIMARY KEY (part, id)
) WITHOUT ROWID;
CREATE INDEX leases_due ON leases (due_ms);
CREATE TABLE ended (
  part TEXT NOT NULL, id TEXT NOT NULL, state INTEGER NOT NULL, until_ms INTEGER NOT NULL, claims TEXT NOT NULL,
  PRIMARY KEY (part, id)
) WITHOUT ROWID;
INSERT INTO leases SELECT part, id, due_ms, rule, claims FROM exchanges WHERE state = 0;
INSERT INTO ended SELECT part, id, state, due_ms, claims FROM exchanges WHERE state <> 0;
DROP TABLE exchanges;
PRAGMA user_version = 2;
`;
/**
 * Version 3. What transactions change goes into the journal first (ledger-rows.ts), so who only knows the tables must not go on: the
 * leases have another name.
 */
const JOURNAL = `
ALTER TABLE leases RENAME TO running;
CREATE TABLE journal (seq INTEGER PRIMARY KEY, entry TEXT NOT NULL);
INSERT INTO journal VALUES (0, '');
PRAGMA user_version = 3;
`;
/**
 * Version 4. Entries name rows by their place. Those of version 3 that nobody has folded, at most a second's of a process that was
 * killed, cannot be read any more.
 */
const PLACES = `
DROP TABLE journal;
CREATE TABLE entries (seq INTEGER PRIMARY KEY, entry TEXT NOT NULL);
INSERT INTO entries VALUES (0, '');
PRAGMA user_version = 4;
`;
export const UPGRADES: readonly string[] = [EXCHANGES_APART, JOURNAL, PLACES];
