import type { AnalyserPort, AnalyserSettings, AnalysersPort } from "../../ports/analyser.ts";
import type { RemoteDeps } from "../http/remote.ts";
import { AnalyserClient } from "./client.ts";

export interface Analysers extends AnalysersPort {
  /**
   * These are in force from now on; one whose settings stay keeps its connections and what is known of its health. Gives what lets go
   * of the others: to be called when no exchange of the policy before runs any more.
   */
  keep(settings: ReadonlyMap<string, AnalyserSettings>): () => void;
  close(): void;
}

export function openAnalysers(deps: RemoteDeps): Analysers {
  const clients = new Map<string, { readonly of: string; readonly client: AnalyserClient }>();
  let wanted: ReadonlyMap<string, AnalyserSettings> = new Map();
  return {
    find: (name): AnalyserPort | undefined => clients.get(name)?.client,
    keep: (settings) => {
      wanted = settings;
      const replaced: AnalyserClient[] = [];
      for (const [name, setting] of settings) {
        const of = JSON.stringify([setting, [...setting.entities]]);
        const known = clients.get(name);
        if (known?.of === of) continue;
        if (known !== undefined) replaced.push(known.client);
        clients.set(name, { of, client: new AnalyserClient(setting, deps) });
      }
      return () => {
        for (const client of replaced) client.close();
        for (const [name, { client }] of clients) {
          if (wanted.has(name)) continue;
          client.close();
          clients.delete(name);
        }
      };
    },
    close: () => {
      for (const { client } of clients.values()) client.close();
      clients.clear();
    },
  };
}
