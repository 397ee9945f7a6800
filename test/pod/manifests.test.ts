import assert from "node:assert/strict";
import { existsSync, globSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { loadPolicy } from "../../src/config/load.ts";
import { formatProblem } from "../../src/config/problems.ts";
import { STAGES } from "../../src/stages/index.ts";
import { build, documentsOf, inside, isMap, listOf, type Manifest, textOf } from "./kustomize.ts";
import { schemaProblems } from "./schema.ts";

const K8S = join(import.meta.dirname, "../../k8s");
const SETS = ["gateway", "sidecar"] as const;
const nameOf = (manifest: Manifest): string => `${textOf(manifest["kind"])}/${textOf(inside(manifest, "metadata", "name"))}`;
const podOf = (set: string): { readonly workload: Manifest; readonly spec: unknown } => {
  const workload = build(join(K8S, set)).find((manifest) => inside(manifest, "spec", "template", "spec") !== undefined);
  assert.ok(workload !== undefined, set);
  return { workload, spec: inside(workload, "spec", "template", "spec") };
};
const containersOf = (spec: unknown): readonly unknown[] => [
  ...listOf(inside(spec, "initContainers")),
  ...listOf(inside(spec, "containers")),
];

test("every manifest satisfies Kubernetes' schemas, without a field that they do not know", async () => {
  const files = globSync("**/*.yaml", { cwd: K8S }).filter((file) => !file.endsWith("kustomization.yaml"));
  assert.ok(files.length > 8);
  for (const file of files) for (const manifest of documentsOf(join(K8S, file))) assert.deepEqual(await schemaProblems(manifest), [], file);
});

test("the check itself finds a misspelt field, a wrong type and a missing one", async () => {
  const container = { name: "a", image: "b", livenessProb: { httpGet: { port: 1 } } };
  const deployment = (more: object): Manifest => ({
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "x" },
    spec: { selector: {}, template: { spec: { containers: [container] } }, ...more },
  });
  assert.deepEqual(await schemaProblems(deployment({})), [
    "apps/v1 Deployment.spec.template.spec.containers.0.livenessProb: there is no such field",
  ]);
  assert.match((await schemaProblems(deployment({ replicas: "two" }))).join(), /replicas/);
  assert.match((await schemaProblems(deployment({ template: { spec: {} } }))).join(), /containers/);
});

for (const set of SETS) {
  test(`${set}: every file is used, every resource once, in one namespace, with images that have a tag`, () => {
    const built = build(join(K8S, set));
    const names = built.map(nameOf);
    assert.equal(new Set(names).size, names.length, names.join());
    const listed = new Set(listOf(inside(documentsOf(join(K8S, set, "kustomization.yaml"))[0], "resources")));
    for (const file of globSync("*.yaml", { cwd: join(K8S, set) })) assert.ok(file === "kustomization.yaml" || listed.has(file), file);
    const images = containersOf(podOf(set).spec).map((container) => textOf(inside(container, "image")));
    for (const image of images) assert.match(image, /^[\w.-]+\/[\w./-]+:[\w.-]+$/);
  });

  test(`${set}: no container has rights, a writable root, a floating memory, or provider keys beside Envoy`, () => {
    const { spec } = podOf(set);
    assert.equal(inside(spec, "automountServiceAccountToken"), false);
    assert.equal(inside(spec, "securityContext", "seccompProfile", "type"), "RuntimeDefault");
    for (const container of containersOf(spec)) {
      const name = textOf(inside(container, "name"));
      const context = inside(container, "securityContext");
      assert.ok(Number(inside(context, "runAsUser")) > 0, name);
      assert.deepEqual(
        [inside(context, "runAsNonRoot"), inside(context, "allowPrivilegeEscalation"), inside(context, "readOnlyRootFilesystem")],
        [true, false, true],
        name,
      );
      assert.deepEqual(inside(context, "capabilities", "drop"), ["ALL"], name);
      assert.ok(
        isMap(inside(container, "resources", "requests")) && inside(container, "resources", "limits", "memory") !== undefined,
        name,
      );
      const mounts = listOf(inside(container, "volumeMounts")).map((mount) => inside(mount, "name"));
      assert.equal(mounts.includes("provider-keys"), name === "envoy", name);
    }
  });

  test(`${set}: what is mounted, probed, selected and named is there`, () => {
    const built = build(join(K8S, set));
    const { workload, spec } = podOf(set);
    const claims = listOf(inside(workload, "spec", "volumeClaimTemplates")).map((claim) => inside(claim, "metadata", "name"));
    const volumes = new Set([...listOf(inside(spec, "volumes")).map((volume) => inside(volume, "name")), ...claims]);
    const labels = inside(workload, "spec", "template", "metadata", "labels");
    const ports = new Set(
      containersOf(spec).flatMap((container) => listOf(inside(container, "ports")).map((port) => inside(port, "name"))),
    );
    for (const container of containersOf(spec)) {
      for (const mount of listOf(inside(container, "volumeMounts")))
        assert.ok(volumes.has(inside(mount, "name")), textOf(inside(mount, "name")));
      for (const probe of ["startupProbe", "livenessProbe", "readinessProbe"]) {
        const port = inside(container, probe, "httpGet", "port");
        if (port !== undefined) assert.ok(ports.has(port), probe);
      }
    }
    for (const volume of listOf(inside(spec, "volumes"))) {
      const map = inside(volume, "configMap", "name");
      if (map !== undefined)
        assert.ok(
          built.some((manifest) => nameOf(manifest) === `ConfigMap/${textOf(map)}`),
          textOf(map),
        );
    }
    const selectors = built.flatMap((manifest) => [
      ...(manifest["kind"] === "Service" ? [inside(manifest, "spec", "selector")] : []),
      ...[inside(manifest, "spec", "selector", "matchLabels"), inside(manifest, "spec", "podSelector", "matchLabels")].filter(
        (found) => found !== undefined,
      ),
    ]);
    assert.ok(selectors.length > 1);
    for (const selector of selectors)
      for (const [key, value] of Object.entries(isMap(selector) ? selector : {})) assert.equal(inside(labels, key), value, key);
    const seconds = Number(inside(spec, "terminationGracePeriodSeconds"));
    assert.ok(seconds >= 120 + 5 + 40, "Envoy's drain and Sluice's fit into the pod's end");
  });
}

test("both sets start Sluice and Envoy in the same way", () => {
  const pick = (set: string, name: string): unknown => {
    const found = containersOf(podOf(set).spec).find((container) => inside(container, "name") === name);
    if (!isMap(found)) return undefined;
    const { restartPolicy: _, ports: __, ...rest } = found;
    return { ...rest, args: listOf(rest["args"]).filter((arg) => !textOf(arg).startsWith("--listen")) };
  };
  for (const name of ["render", "sluice", "envoy"]) assert.deepEqual(pick("sidecar", name), pick("gateway", name), name);
});

test("the policy of the ConfigMap is valid, and its keys of providers are those of the example Secret", async () => {
  const [map] = documentsOf(join(K8S, "base/policy.yaml"));
  const data = inside(map, "data");
  const dir = mkdtempSync(join(tmpdir(), "sluice-k8s-"));
  try {
    for (const [name, text] of Object.entries(isMap(data) ? data : {})) writeFileSync(join(dir, name), textOf(text));
    const loaded = await loadPolicy(dir, STAGES);
    assert.deepEqual((loaded.ok ? loaded.value.warnings : loaded.error).map(formatProblem), []);
    assert.ok(loaded.ok);
    const [secret] = documentsOf(join(K8S, "base/secret.example.yaml"));
    for (const provider of Object.values(loaded.value.document.providers)) {
      const file = provider.credential?.file ?? "";
      assert.match(file, /^\/run\/secrets\/providers\//);
      assert.ok(inside(secret, "stringData", file.split("/").at(-1) ?? "") !== undefined, file);
    }
  } finally {
    rmSync(dir, { recursive: true });
  }
  assert.ok(existsSync(join(K8S, "base/secret.example.yaml")));
});
