import { createServer, isIP } from "node:net";

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** `127.0.0.1:8080`, `[::1]:8080`, `localhost:8080`: an IP address, because Envoy takes no names. */
export function parseAddress(text: string): Address | undefined {
  const found = /^(?:\[(.+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text);
  const host = (found?.[1] ?? found?.[2])?.replace(/^localhost$/, "127.0.0.1");
  const port = Number(found?.[3]);
  return host === undefined || isIP(host) === 0 || port > 65_535 ? undefined : { host, port };
}

export const showAddress = ({ host, port }: Address): string => (host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`);

/** Why the address cannot be bound (`EADDRINUSE`), or the port that it got; 0 asks for any. */
export function tryBind({ host, port }: Address): Promise<number | string> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", (cause: NodeJS.ErrnoException) => resolve(cause.code ?? "unknown error"));
    server.listen({ host, port, exclusive: true }, () => {
      const address = server.address();
      const got = address !== null && typeof address === "object" ? address.port : port;
      server.close(() => resolve(got));
    });
  });
}

/** The address, or the same host with a free port where that one is taken. */
export async function freeNear(address: Address): Promise<Address> {
  const bound = await tryBind(address);
  if (typeof bound === "number") return { host: address.host, port: bound };
  const other = await tryBind({ host: address.host, port: 0 });
  return typeof other === "number" ? { host: address.host, port: other } : address;
}
