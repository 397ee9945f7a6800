# Sluice alone; Envoy has an image of its own (envoyproxy/envoy:v1.40.0). Runs as a user without rights, on a read-only root:
# it writes only to --data, --socket and --envoy-dir.
FROM node:26.10.0-bookworm-slim AS packages
WORKDIR /sluice
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --ignore-scripts

FROM node:26.10.0-bookworm-slim
# npm and its kind are of no use here.
RUN rm -rf /usr/local/lib/node_modules /usr/local/bin/npm /usr/local/bin/npx /usr/local/bin/corepack /opt/yarn-* \
  && install -d -o 65532 -g 65532 -m 2770 /run/sluice /var/lib/sluice
WORKDIR /sluice
COPY --from=packages /sluice/node_modules ./node_modules
COPY package.json LICENSE ./
COPY proto ./proto
COPY src ./src
ENV NODE_ENV=production \
    SLUICE_POLICY=/etc/sluice/policy \
    SLUICE_DATA=/var/lib/sluice \
    SLUICE_SOCKET=/run/sluice/0.sock
USER 65532:65532
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=10s CMD ["node", "src/main.ts", "status"]
# V8's settings for a process that serves: src/server/node-flags.ts says why.
ENTRYPOINT ["node", "--min-semi-space-size=16", "--max-semi-space-size=16", "--no-parallel-scavenge", "--no-allocation-site-pretenuring", "--invocation-count-for-turbofan=1000", "src/main.ts"]
CMD ["serve"]
