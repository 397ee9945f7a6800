import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { createServer, type Server, type ServerResponse } from "node:http";
import { type JWTPayload, SignJWT } from "jose";

/** An identity provider on loopback: discovery, a key set that a test may rotate, break or slow down, and tokens. */
export interface TestIssuer {
  readonly url: string;
  /** How often its key set was asked for. */
  readonly fetches: () => number;
  /** Publishes a new key beside, or instead of, those before; later tokens are signed with it. */
  rotate(options?: { readonly keepOld?: boolean; readonly publish?: boolean }): void;
  /** Publishes the key that `rotate` held back. */
  publish(): void;
  /** What the key set answers with from now on. */
  behave(how: Behaviour): void;
  token(claims?: JWTPayload, options?: TokenOptions): Promise<string>;
  close(): Promise<void>;
}
export type Behaviour = "well" | "slow" | "garbage" | "down" | "huge" | "redirect" | "empty";
export interface TokenOptions {
  readonly header?: Readonly<Record<string, unknown>>;
  /** Seconds from now; 300 where absent. */
  readonly lifetimeS?: number;
  readonly algorithm?: string;
  readonly noKid?: boolean;
}

interface Pair {
  readonly kid: string;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

export async function startIssuer(): Promise<TestIssuer> {
  let made = 0;
  const pair = (): Pair => {
    made += 1;
    return { kid: `k${made}`, ...generateKeyPairSync("ec", { namedCurve: "P-256" }) };
  };
  let current = pair();
  let published: Pair[] = [current];
  let behaviour: Behaviour = "well";
  let fetches = 0;
  const server = createServer((request, answer) => {
    const { url } = addressOf(server);
    if (request.url === "/.well-known/openid-configuration") return json(answer, { issuer: url, jwks_uri: `${url}/keys` });
    if (request.url !== "/keys") return void answer.writeHead(404).end();
    fetches += 1;
    switch (behaviour) {
      case "slow":
        return;
      case "garbage":
        return void answer.end("<html>");
      case "down":
        return void answer.writeHead(503).end();
      case "huge":
        return json(answer, { keys: [{ kty: "EC", kid: "x".repeat(2_000_000) }] });
      case "redirect":
        return void answer.writeHead(302, { location: `${url}/elsewhere` }).end();
      case "empty":
        return json(answer, { keys: [] });
      case "well":
        return json(answer, {
          keys: published.map(({ kid, publicKey }) => ({ ...publicKey.export({ format: "jwk" }), kid, use: "sig", alg: "ES256" })),
        });
    }
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { url } = addressOf(server);
  return {
    url,
    fetches: () => fetches,
    rotate: ({ keepOld = false, publish = true } = {}) => {
      current = pair();
      if (publish) published = keepOld ? [...published, current] : [current];
    },
    publish: () => {
      published = [current];
    },
    behave: (how) => {
      behaviour = how;
    },
    token: (claims = {}, options = {}) => {
      const now = Math.floor(Date.now() / 1000);
      const header = {
        alg: options.algorithm ?? "ES256",
        typ: "JWT",
        ...(options.noKid === true ? {} : { kid: current.kid }),
        ...options.header,
      };
      const payload = { iss: url, aud: "sluice", sub: "support-bot", iat: now, exp: now + (options.lifetimeS ?? 300), ...claims };
      return new SignJWT(payload).setProtectedHeader(header).sign(current.privateKey);
    },
    close: () =>
      new Promise((done) => {
        server.closeAllConnections();
        server.close(() => done());
      }),
  };
}

const json = (answer: ServerResponse, value: unknown): void => {
  answer.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(value));
};

function addressOf(server: Server): { readonly url: string } {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("not listening");
  return { url: `http://127.0.0.1:${address.port}` };
}
