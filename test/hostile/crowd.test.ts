/** Many dense bodies at once: each is within its caps, all together would fill the process. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { BASIC_POLICY, startGateway } from "../support/gateway.ts";

test("what does not fit beside the others is told to try again; one alone passes", async () => {
  const limits = "limits: { bodyBytesMax: 1048576, inFlightBytesMax: 4194304 }";
  const gateway = await startGateway({ policy: `${BASIC_POLICY}${limits}\n` });
  try {
    const ask = async (words: string): Promise<string> => {
      const body = `{"model":"gpt-4o-mini","messages":[{"role":"user","content":"${words}"}],"x":[${"0,".repeat(50_000)}0]}`;
      const headers = { authorization: `Bearer ${gateway.key()}`, "content-type": "application/json" };
      const answer = await fetch(`${gateway.url}/v1/chat/completions`, { method: "POST", headers, body });
      const code = /"code":"?(\w+)/.exec(await answer.text())?.[1];
      return answer.status === 200 ? "200" : `${answer.status} ${code}`;
    };
    const all = await Promise.all(Array.from({ length: 6 }, () => ask("[[sim delay=1500]]")));
    assert.deepEqual(new Set(all), new Set(["200", "503 overloaded"]), all.join());
    assert.equal(await ask("hi"), "200");
    assert.equal((await gateway.records(7)).filter(({ code }) => code === "overloaded").length, all.filter((one) => one !== "200").length);
  } finally {
    await gateway.stop();
  }
});
