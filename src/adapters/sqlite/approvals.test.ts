import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { APPROVAL_TELLING_MS, APPROVALS_PENDING_MAX, TAINT_KEPT_MS, WITHHELD_BYTES_MAX } from "../../core/limits.ts";
import type { Result } from "../../core/result.ts";
import type { ApprovalCall, ApprovalsPort, AskAnswer, ClaimAnswer, HeldFor } from "../../ports/approvals.ts";
import type { Keyring } from "../../ports/keyring.ts";
import { openFileKeyring } from "../keyring/file.ts";
import { type ApprovalStep, openSqliteApprovals } from "./approvals.ts";

const MINUTE = 60_000;
const call: ApprovalCall = {
  tenant: "acme",
  app: "bot",
  user: "jo",
  useCase: "support",
  tool: "refund",
  arguments: '{"amount":40,"iban":"DE02120300000000202051"}',
  policyHash: "h1",
};
const terms = { approvers: 1, lifeMs: 10 * MINUTE, exchange: "e1", policyName: "acme/bot/support" } as const;
const held: HeldFor = {
  tenant: "acme",
  app: "bot",
  user: "jo",
  useCase: "support",
  policyHash: "h1",
  idempotencyKey: "try-1",
  requestDigest: "d1",
};

interface Bench {
  readonly dir: string;
  readonly clock: { nowMs: number };
  readonly steps: ApprovalStep[];
  open(): Promise<ApprovalsPort>;
}
async function bench(t: TestContext): Promise<Bench> {
  const dir = mkdtempSync(join(tmpdir(), "sluice-approvals-"));
  const clock = { nowMs: 1_700_000_000_000 };
  const steps: ApprovalStep[] = [];
  const keyring = given(await openFileKeyring(join(dir, "sluice.key")));
  const opened: ApprovalsPort[] = [];
  t.after(() => {
    for (const one of opened) one.close();
    rmSync(dir, { recursive: true, force: true });
  });
  const open = async (): Promise<ApprovalsPort> => {
    const store = given(await openStore(dir, clock, keyring, steps));
    opened.push(store);
    return store;
  };
  return { dir, clock, steps, open };
}
const openStore = (dir: string, clock: { nowMs: number }, keyring: Keyring, steps: ApprovalStep[]) =>
  openSqliteApprovals({
    dir,
    clock: { wallMs: () => clock.nowMs, monotonicMs: () => clock.nowMs },
    keyring,
    onStep: (step) => steps.push(step),
  });
function given<T, E>(result: Result<T, E>): T {
  assert.ok(result.ok, JSON.stringify(result));
  return result.value;
}
/** Uses a grant, or asks for one. */
function claimed(store: ApprovalsPort, change: Partial<ApprovalCall> = {}, more = {}): ClaimAnswer | AskAnswer {
  const one = { ...call, ...change };
  const answer = given(store.claim(one));
  return answer.kind === "none" ? given(store.ask([one], { ...terms, ...more })) : answer;
}
function pending(answer: ClaimAnswer | AskAnswer): string {
  assert.equal(answer.kind, "asked");
  return answer.kind === "asked" ? (answer.ids[0] ?? "") : "";
}

test("a call waits, is approved by another person, passes once, and waits again", async (t) => {
  const { open, steps } = await bench(t);
  const store = await open();
  const id = pending(claimed(store));
  assert.match(id, /^apr_[0-9a-z]{26}$/);
  assert.deepEqual(claimed(store), { kind: "asked", ids: [id] });
  for (const by of ["jo", "Jo", " JO"])
    assert.deepEqual(store.vote(id, { by, vote: "approve" }), { ok: false, error: { code: "requester" } });
  assert.equal(given(store.vote(id, { by: "ada", vote: "approve" })).status, "approved");
  assert.deepEqual(claimed(store), { kind: "granted", id });
  const next = pending(claimed(store));
  assert.notEqual(next, id);
  assert.deepEqual(
    steps.map(({ step, by }) => `${step} ${by}`),
    ["requested sluice", "approved ada", "used sluice", "requested sluice"],
  );
});

test("a grant is for this principal, tool, arguments and policy, and for nothing else", async (t) => {
  const { open } = await bench(t);
  const store = await open();
  const id = pending(claimed(store));
  given(store.vote(id, { by: "ada", vote: "approve" }));
  for (const other of [
    { tenant: "beta" },
    { app: "other" },
    { user: "max" },
    { user: undefined },
    { useCase: "other" },
    { tool: "refund2" },
    { arguments: '{"amount":41,"iban":"DE02120300000000202051"}' },
    { policyHash: "h2" },
  ])
    assert.equal(claimed(store, other).kind, "asked", JSON.stringify(other));
  assert.equal(claimed(store).kind, "granted");
});

test("two people must be two, and one who rejects decides", async (t) => {
  const { open } = await bench(t);
  const store = await open();
  const id = pending(claimed(store, {}, { approvers: 2 }));
  assert.equal(given(store.vote(id, { by: "ada", vote: "approve" })).status, "pending");
  assert.deepEqual(store.vote(id, { by: "ada", vote: "approve" }), { ok: false, error: { code: "voted_before" } });
  assert.equal(claimed(store).kind, "asked");
  const approved = given(store.vote(id, { by: "bob", vote: "approve" }));
  assert.deepEqual([approved.status, approved.votes.map(({ by }) => by)], ["approved", ["ada", "bob"]]);
  assert.deepEqual(store.vote(id, { by: "eve", vote: "reject" }), { ok: false, error: { code: "not_pending" } });
  const other = pending(claimed(store, { tool: "wire" }, { approvers: 2 }));
  given(store.vote(other, { by: "ada", vote: "reject" }));
  assert.deepEqual(claimed(store, { tool: "wire" }), { kind: "rejected", id: other });
  assert.deepEqual(store.vote("apr_none", { by: "ada", vote: "approve" }), { ok: false, error: { code: "unknown" } });
});

test("requests and grants expire; what expired is told once and can be asked for anew", async (t) => {
  const { open, clock, steps } = await bench(t);
  const store = await open();
  const id = pending(claimed(store));
  clock.nowMs += 9 * MINUTE;
  given(store.vote(id, { by: "ada", vote: "approve" }));
  clock.nowMs += 9 * MINUTE;
  assert.equal(given(store.show(id))?.status, "approved", "the grant has a life of its own");
  clock.nowMs += MINUTE;
  const next = pending(claimed(store));
  assert.notEqual(next, id);
  assert.equal(given(store.show(id))?.status, "expired");
  assert.equal(steps.filter(({ step }) => step === "expired").length, 1);
});

test("what is over ends, and is told, although nobody asks for it", async (t) => {
  const { open, clock, steps } = await bench(t);
  const store = await open();
  pending(claimed(store));
  const granted = pending(claimed(store, { tool: "wire" }));
  given(store.vote(granted, { by: "ada", vote: "approve" }));
  clock.nowMs += 10 * MINUTE;
  assert.deepEqual(given(store.takeUntold(0)), []);
  assert.equal(steps.filter(({ step }) => step === "expired").length, 2);
});

test("grants, requests and kept answers survive a restart, and another process of the host uses them", async (t) => {
  const { open } = await bench(t);
  const first = await open();
  const id = pending(claimed(first));
  assert.equal(first.keepAnswer([id], held, { contentType: "application/json", body: Buffer.from('{"iban":"DE02"}') }), true);
  assert.deepEqual(given(first.heldAnswer(held)), { kind: "pending", ids: [id] });
  first.close();
  const [second, third] = [await open(), await open()];
  assert.equal(given(second.show(id))?.arguments, call.arguments);
  given(second.vote(id, { by: "ada", vote: "approve" }));
  assert.equal(given(third.heldAnswer({ ...held, idempotencyKey: "try-2" })).kind, "none");
  assert.equal(given(third.heldAnswer({ ...held, requestDigest: "d2" })).kind, "none");
  assert.equal(given(third.heldAnswer({ ...held, user: "max" })).kind, "none");
  assert.equal(given(third.heldAnswer({ ...held, policyHash: "h2" })).kind, "none", "the policy was edited");
  assert.equal(given(third.heldAnswer({ ...held, useCase: "other" })).kind, "none");
  const got = given(third.heldAnswer(held));
  assert.equal(got.kind === "answer" && Buffer.from(got.answer.body).toString(), '{"iban":"DE02"}');
  assert.equal(given(second.heldAnswer(held)).kind, "none", "once");
  assert.equal(claimed(second).kind, "asked", "and its grant is used");
});

test("an answer of several calls is given when all of them are approved, and not at all once one of them is over", async (t) => {
  const { open, clock, steps } = await bench(t);
  const store = await open();
  const answer = { contentType: "text/plain", body: Buffer.from("both") };
  let n = 0;
  const two = () => {
    const of = { ...held, idempotencyKey: `try-${++n}` };
    const ids = [1, 2].map((one) => pending(claimed(store, { arguments: `{"n":${n},"one":${one}}` })));
    assert.equal(store.keepAnswer(ids, of, answer), true);
    return { of, ids: [ids[0] ?? "", ids[1] ?? ""] as const };
  };
  const approve = (id: string) => given(store.vote(id, { by: "ada", vote: "approve" }));
  const both = two();
  const waiting = given(store.heldAnswer(both.of));
  assert.deepEqual(waiting.kind === "pending" && waiting.ids.toSorted(), both.ids.toSorted());
  approve(both.ids[0]);
  assert.deepEqual(given(store.heldAnswer(both.of)), { kind: "pending", ids: [both.ids[1]] });
  approve(both.ids[1]);
  assert.equal(given(store.heldAnswer(both.of)).kind, "answer");
  assert.equal(steps.filter(({ step }) => step === "used").length, 2);
  assert.equal(given(store.heldAnswer(both.of)).kind, "none");

  const rejected = two();
  approve(rejected.ids[0]);
  given(store.vote(rejected.ids[1], { by: "ada", vote: "reject" }));
  assert.deepEqual(given(store.heldAnswer(rejected.of)), { kind: "rejected", id: rejected.ids[1] });

  const used = two();
  for (const id of used.ids) approve(id);
  assert.equal(claimed(store, { arguments: `{"n":${n},"one":1}` }).kind, "granted");
  assert.equal(given(store.heldAnswer(used.of)).kind, "none", "one of its grants is used elsewhere");

  const late = two();
  approve(late.ids[0]);
  clock.nowMs += 9 * MINUTE;
  approve(late.ids[1]);
  clock.nowMs += MINUTE;
  assert.equal(given(store.heldAnswer(late.of)).kind, "none", "one of its grants has expired");

  const free = pending(claimed(store, { arguments: '{"n":"free"}' }));
  const taken = pending(claimed(store, { arguments: '{"n":"taken"}' }));
  assert.equal(store.keepAnswer([taken], { ...held, idempotencyKey: "a" }, answer), true);
  assert.equal(store.keepAnswer([free, taken], { ...held, idempotencyKey: "b" }, answer), false, "for all of them or none");
  approve(free);
  assert.equal(given(store.heldAnswer({ ...held, idempotencyKey: "b" })).kind, "none");
});

test("the file tells nobody what was asked for", async (t) => {
  const { open, dir } = await bench(t);
  const store = await open();
  const id = pending(claimed(store));
  store.keepAnswer([id], held, { contentType: "application/json", body: Buffer.from("please pay DE02120300000000202051") });
  store.taint("acme", "conversation-DE0212");
  store.close();
  for (const name of readdirSync(dir)) assert.ok(!readFileSync(join(dir, name)).includes("DE0212"), name);
});

test("lists by tenant and status, newest first", async (t) => {
  const { open, clock } = await bench(t);
  const store = await open();
  const first = pending(claimed(store));
  clock.nowMs += 1;
  const second = pending(claimed(store, { tenant: "beta" }));
  given(store.vote(first, { by: "ada", vote: "approve" }));
  const ids = (tenants: readonly string[] | undefined, status: "pending" | "approved" | undefined) =>
    given(store.list({ tenants, status }, 10)).map((one) => one.id);
  assert.deepEqual(ids(undefined, undefined), [second, first]);
  assert.deepEqual(ids(["acme"], undefined), [first]);
  assert.deepEqual(ids(undefined, "pending"), [second]);
  assert.deepEqual(ids([], undefined), []);
});

test("caps: requests that wait, and the size of a kept answer", async (t) => {
  const { open } = await bench(t);
  const store = await open();
  for (let n = 0; n < APPROVALS_PENDING_MAX; n++) claimed(store, { arguments: `{"n":${n}}` });
  assert.deepEqual(claimed(store), { kind: "full" });
  assert.equal(claimed(store, { tenant: "beta" }).kind, "asked");
  const id = pending(claimed(store, { tenant: "beta" }));
  const large = { contentType: "text/plain", body: new Uint8Array(WITHHELD_BYTES_MAX + 1) };
  assert.equal(store.keepAnswer([id], { ...held, tenant: "beta" }, large), false);
});

test("a conversation is tainted for its tenant, for a while", async (t) => {
  const { open, clock } = await bench(t);
  const store = await open();
  store.taint("acme", "c1");
  assert.equal(given(store.isTainted("acme", "c1")), true);
  assert.equal(given(store.isTainted("acme", "c2")), false);
  assert.equal(given(store.isTainted("beta", "c1")), false);
  clock.nowMs += TAINT_KEPT_MS;
  assert.equal(given(store.isTainted("acme", "c1")), false);
});

test("what began to wait is told by one process: again where nobody was told, or the telling took too long, and never after somebody was", async (t) => {
  const { open, clock } = await bench(t);
  const [first, second] = [await open(), await open()];
  const id = pending(claimed(first));
  const untold = (of: ApprovalsPort) => given(of.takeUntold(10)).map((one) => one.id);
  assert.deepEqual([untold(second), untold(first)], [[id], []]);
  second.told(id, "nobody");
  assert.deepEqual([untold(first), untold(second)], [[id], []]);
  clock.nowMs += APPROVAL_TELLING_MS;
  assert.deepEqual([untold(second), untold(first)], [[id], []]);
  second.told(id, "somebody");
  clock.nowMs += APPROVAL_TELLING_MS;
  assert.deepEqual(untold(first), []);
});

test("a grant that was used for a call that never reached the caller holds again, for its own life; the step is told", async (t) => {
  const { open, clock, steps } = await bench(t);
  const store = await open();
  const id = pending(claimed(store));
  given(store.vote(id, { by: "ada", vote: "approve" }));
  assert.equal(claimed(store).kind, "granted");
  store.giveBack("beta", id);
  assert.equal(given(store.show(id))?.status, "used", "another tenant's is not touched");
  store.giveBack("acme", id);
  store.giveBack("acme", id);
  assert.deepEqual(
    steps.map(({ step }) => step),
    ["requested", "approved", "used", "returned"],
  );
  assert.equal(claimed(store).kind, "granted");
  store.giveBack("acme", id);
  clock.nowMs += 10 * MINUTE;
  assert.equal(claimed(store).kind, "asked");
});

test("calls of one answer are asked about together: all of them or none, equal ones once, known ones again", async (t) => {
  const { open, steps } = await bench(t);
  const store = await open();
  const calls = ["1", "2", "1"].map((text) => ({ ...call, arguments: text }));
  const asked = given(store.ask(calls, terms));
  assert.ok(asked.kind === "asked");
  assert.equal(asked.ids[0], asked.ids[2]);
  assert.equal(new Set(asked.ids).size, 2);
  assert.deepEqual(given(store.ask(calls.slice(0, 2), terms)), { kind: "asked", ids: asked.ids.slice(0, 2) });
  assert.equal(steps.length, 2);
  for (let n = 3; n < APPROVALS_PENDING_MAX; n++) given(store.ask([{ ...call, arguments: `${n}` }], terms));
  const more = ["a", "b"].map((text) => ({ ...call, arguments: text }));
  assert.deepEqual(given(store.ask(more, terms)), { kind: "full" });
  assert.equal(claimed(store, { arguments: "a" }).kind, "asked", "of those that found no room none waits");
  given(store.vote(asked.ids[0] ?? "", { by: "ada", vote: "reject" }));
  assert.deepEqual(given(store.ask([...more, ...calls], terms)), { kind: "rejected", id: asked.ids[0] ?? "" });
  assert.deepEqual(given(store.claim(more[1] ?? call)), { kind: "none" });
});
