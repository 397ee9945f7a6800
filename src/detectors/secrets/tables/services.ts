import {
  ALNUM,
  BASE64,
  DIGITS,
  HEX,
  HEX_ANY,
  LOWER_ALNUM,
  PADDING,
  PERCENT_SIGN,
  SLUG,
  SLUG_DOT_PADDED,
  SLUG_PADDED,
  UPPER_ALNUM,
} from "../alphabets.ts";
import type { SecretEntity } from "../entities.ts";
import { padding, run, type Shape } from "../shape.ts";

/** Rows of one entity. */
const of =
  (entity: SecretEntity) =>
  (name: string, prefix: string, ...parts: Shape["parts"]): Shape => ({ name, entity, prefix, parts });
const payment = of("secret_payment_key");
const registry = of("secret_registry_token");
const ci = of("secret_ci_token");
const monitoring = of("secret_monitoring_token");
const mail = of("secret_mail_sms_key");
const saas = of("secret_saas_token");
const unlikely = (shape: Shape, entropyMin = 3): Shape => ({ ...shape, entropyMin });

const STRIPE = ["sk", "rk"].flatMap((kind) => ["live", "test", "prod"].map((mode) => `${kind}_${mode}_`));

/** Payment. */
export const PAYMENT_SHAPES: readonly Shape[] = [
  ...STRIPE.map((prefix): Shape => ({ name: "Stripe key", entity: "secret_stripe_key", prefix, parts: [run(ALNUM, 10, 120)] })),
  {
    name: "Stripe webhook secret",
    entity: "secret_stripe_key",
    prefix: "whsec_",
    parts: [run(BASE64, 24, 80), padding(PADDING)],
    entropyMin: 3,
  },
  unlikely(payment("Square token", "EAAA", run(SLUG, 22, 60)), 3.3),
  payment("Square token", "sq0atp-", run(SLUG, 22, 60)),
  payment("Square secret", "sq0csp-", run(SLUG, 43, 60)),
  payment("Braintree token", "access_token$production$", run(LOWER_ALNUM, 16), "$", run(HEX, 32)),
  payment("Braintree token", "access_token$sandbox$", run(LOWER_ALNUM, 16), "$", run(HEX, 32)),
  payment("Flutterwave key", "FLWSECK_TEST-", run(ALNUM, 32), "-X"),
  payment("Flutterwave key", "FLWSECK-", run(ALNUM, 32), "-X"),
  unlikely(payment("Flutterwave key", "FLWSECK_TEST-", run(ALNUM, 12, 32)), 2),
  payment("Flutterwave public key", "FLWPUBK_TEST-", run(ALNUM, 32), "-X"),
  payment("Plaid token", "access-sandbox-", run(SLUG, 36)),
  payment("Plaid token", "access-development-", run(SLUG, 36)),
  payment("Plaid token", "access-production-", run(SLUG, 36)),
  payment("Duffel token", "duffel_test_", run(SLUG_PADDED, 43)),
  payment("Duffel token", "duffel_live_", run(SLUG_PADDED, 43)),
  unlikely(payment("EasyPost key", "EZAK", run(ALNUM, 54))),
  unlikely(payment("EasyPost key", "EZTK", run(ALNUM, 54))),
  payment("Shippo token", "shippo_live_", run(HEX_ANY, 40)),
  payment("Shippo token", "shippo_test_", run(HEX_ANY, 40)),
  payment("Razorpay key", "rzp_live_", run(ALNUM, 14)),
  payment("Razorpay key", "rzp_test_", run(ALNUM, 14)),
  unlikely(payment("Adyen key", "AQE", run(ALNUM, 60, 140)), 4.2),
  payment("GoCardless token", "live_", run(SLUG_PADDED, 40)),
  payment("Lob key", "live_", run(HEX, 35)),
  payment("Lob key", "test_", run(HEX, 35)),
  payment("Lob publishable key", "live_pub_", run(HEX, 31)),
  payment("Lob publishable key", "test_pub_", run(HEX, 31)),
];

/** Short prefixes that words in capitals have too: a digit must follow. */
const artifactory = { filledToo: true, standsAlone: true, check: (token: string): number => (/\d/.test(token.slice(3)) ? 1 : 0) } as const;

/** Package registries and build systems. */
export const BUILD_SHAPES: readonly Shape[] = [
  registry("npm token", "npm_", run(ALNUM, 36)),
  registry("PyPI token", "pypi-AgEIcHlwaS5vcmc", run(SLUG, 50, 1000)),
  registry("PyPI test token", "pypi-AgENdGVzdC5weXBpLm9yZw", run(SLUG, 50, 1000)),
  registry("RubyGems key", "rubygems_", run(HEX, 48)),
  registry("Clojars token", "CLOJARS_", run(ALNUM, 60)),
  registry("Docker token", "dckr_pat_", run(SLUG, 27)),
  registry("Docker organisation token", "dckr_oat_", run(SLUG, 32)),
  registry("NuGet key", "oy2", run(LOWER_ALNUM, 43)),
  registry("crates.io token", "cio", run(ALNUM, 32)),
  registry("Anaconda token", "an-", run(SLUG, 36, 60)),
  unlikely(registry("Artifactory reference token", "cmVmd", run(ALNUM, 59)), 3.8),
  { ...registry("Artifactory key", "AKC", run(ALNUM, 10, 100)), ...artifactory },
  ...[..."0123456789ABCDEF"].map(
    (digit): Shape => ({ ...registry("Artifactory password", `AP${digit}`, run(ALNUM, 8, 100)), ...artifactory }),
  ),
  ci("Octopus key", "API-", run(UPPER_ALNUM, 26)),
  ci("Harness token", "pat.", run(SLUG, 22), ".", run(ALNUM, 24), ".", run(ALNUM, 20)),
  ci("Harness token", "sat.", run(SLUG, 22), ".", run(ALNUM, 24), ".", run(ALNUM, 20)),
  ci("CircleCI token", "CCIPAT_", run(ALNUM, 20, 24), "_", run(HEX, 40)),
  ci("CircleCI project token", "CCIPRJ_", run(ALNUM, 20, 24), "_", run(HEX, 40)),
  ci("Buildkite token", "bkua_", run(HEX, 40)),
  ci("Prefect key", "pnu_", run(ALNUM, 36)),
  ci("Prefect key", "pnb_", run(ALNUM, 36)),
  ci("Sonar token", "squ_", run(HEX, 40)),
  ci("Sonar token", "sqp_", run(HEX, 40)),
  ci("Sonar token", "sqa_", run(HEX, 40)),
  ...["sc_", "ext_", "scauth_", "authress_"].map((prefix) =>
    ci(
      "Authress key",
      prefix,
      run(LOWER_ALNUM, 5, 30),
      ".",
      run(LOWER_ALNUM, 4, 6),
      ".acc",
      run(SLUG, 11, 33),
      ".",
      run(SLUG_PADDED | BASE64, 30, 120),
    ),
  ),
];

/** Monitoring. */
export const MONITORING_SHAPES: readonly Shape[] = [
  monitoring("Grafana service account token", "glsa_", run(ALNUM, 32), "_", run(HEX_ANY, 8)),
  monitoring("Grafana Cloud token", "glc_", run(BASE64, 32, 400), padding(PADDING)),
  monitoring("Grafana key", "eyJrIjoi", run(ALNUM, 60, 400), padding(PADDING)),
  monitoring("New Relic user key", "NRAK-", run(ALNUM, 27)),
  monitoring("New Relic insert key", "NRII-", run(SLUG, 32)),
  monitoring("New Relic query key", "NRIQ-", run(SLUG, 32)),
  monitoring("New Relic REST key", "NRRA-", run(HEX, 42)),
  monitoring("New Relic browser key", "NRJS-", run(HEX, 19)),
  monitoring("New Relic licence", "NRLS-", run(ALNUM, 32, 64)),
  monitoring("Sentry user token", "sntryu_", run(HEX, 64)),
  monitoring("Sentry organisation token", "sntrys_eyJ", run(BASE64, 60, 500), padding(PADDING), "_", run(BASE64, 43)),
  monitoring("Dynatrace token", "dt0c01.", run(ALNUM, 24), ".", run(ALNUM, 64)),
  monitoring("Dynatrace token", "dt0s16.", run(ALNUM, 8), ".", run(ALNUM, 64)),
  monitoring("Datadog client token", "pub", run(HEX, 32)),
  monitoring("PagerDuty key", "pdus+", run(SLUG, 20, 40)),
  monitoring("PostHog key", "phx_", run(ALNUM, 40, 50)),
  monitoring("Honeycomb key", "hcaik_", run(ALNUM, 58)),
  monitoring("Logfire token", "pylf_v1_us_", run(ALNUM, 43)),
];

/** E-mail and text messages. */
export const MAIL_SHAPES: readonly Shape[] = [
  mail("SendGrid key", "SG.", run(SLUG, 20, 24), ".", run(SLUG, 39, 50)),
  mail("SendGrid key", "SG.", run(SLUG_DOT_PADDED, 66)),
  mail("Brevo key", "xkeysib-", run(HEX, 64), "-", run(ALNUM, 16)),
  mail("Brevo SMTP key", "xsmtpsib-", run(HEX, 64), "-", run(ALNUM, 16)),
  mail("Mailgun key", "key-", run(HEX, 32)),
  mail("Mailgun public key", "pubkey-", run(HEX, 32)),
  mail("MailerSend token", "mlsn.", run(HEX, 64)),
  mail("Resend key", "re_", run(ALNUM, 8), "_", run(ALNUM, 24)),
  mail("Mandrill key", "md-", run(SLUG, 22)),
  { ...mail("Twilio key", "SK", run(LOWER_ALNUM, 32)), filledToo: true },
  { ...mail("Twilio account", "AC", run(LOWER_ALNUM, 32)), filledToo: true },
  mail("Twilio key", "SK", run(HEX_ANY, 32)),
  mail("Twilio account", "AC", run(HEX_ANY, 32)),
];

/** Everything else that is sold as a service. */
export const SAAS_SHAPES: readonly Shape[] = [
  ...["shpat_", "shpca_", "shppa_", "shpss_", "shptka_"].map((prefix) => saas("Shopify token", prefix, run(HEX_ANY, 32))),
  saas("Atlassian token", "ATATT3", run(SLUG_PADDED, 160, 200), run(HEX_ANY, 0, 8)),
  saas("Notion token", "ntn_", run(DIGITS, 11), run(ALNUM, 35)),
  unlikely(saas("Notion token", "secret_", run(ALNUM, 43)), 3.5),
  saas("Linear key", "lin_api_", run(ALNUM, 40)),
  saas("Linear OAuth token", "lin_oauth_", run(ALNUM, 40, 64)),
  unlikely(saas("Airtable token", "pat", run(ALNUM, 14), ".", run(HEX, 64))),
  saas("Adobe secret", "p8e-", run(ALNUM, 32)),
  saas("Postman key", "PMAK-", run(HEX_ANY, 24), "-", run(HEX_ANY, 34)),
  saas("Frame.io token", "fio-u-", run(SLUG_PADDED, 64)),
  saas("Readme key", "rdme_", run(LOWER_ALNUM, 70)),
  saas("Typeform token", "tfp_", run(SLUG_DOT_PADDED, 40, 70)),
  saas("Defined Networking key", "dnkey-", run(SLUG_PADDED, 26), "-", run(SLUG_PADDED, 52)),
  saas("Intra42 secret", "s-s4t2ud-", run(HEX, 64)),
  saas("Intra42 secret", "s-s4t2af-", run(HEX, 64)),
  saas("Facebook token", "EAAM", run(ALNUM, 80, 400)),
  saas("Facebook token", "EAAC", run(ALNUM, 80, 400)),
  unlikely(saas("Facebook token", "EAA", run(ALNUM, 100, 400)), 4),
  saas("Dropbox token", "sl.", run(SLUG_PADDED, 130, 400)),
  unlikely(saas("Beamer token", "b_", run(SLUG_PADDED, 44)), 3.5),
  saas("Mapbox token", "pk.eyJ", run(ALNUM, 50, 90), ".", run(SLUG, 22)),
  saas("Mapbox secret token", "sk.eyJ", run(ALNUM, 50, 90), ".", run(SLUG, 22)),
  unlikely(saas("Mapbox token", "pk.", run(ALNUM, 60), ".", run(SLUG, 22))),
  saas("HubSpot token", "pat-na1-", run(SLUG, 36)),
  saas("HubSpot token", "pat-eu1-", run(SLUG, 36)),
  saas("Figma token", "figd_", run(SLUG, 40)),
  saas("Contentful token", "CFPAT-", run(SLUG, 43)),
  saas("LaunchDarkly key", "api-", run(HEX, 8), "-", run(HEX, 4), "-", run(HEX, 4), "-", run(HEX, 4), "-", run(HEX, 12)),
  saas("LaunchDarkly key", "sdk-", run(HEX, 8), "-", run(HEX, 4), "-", run(HEX, 4), "-", run(HEX, 4), "-", run(HEX, 12)),
  saas("Twitter bearer token", "AAAAAAAAAAAAAAAAAAAAAA", run(ALNUM | PERCENT_SIGN, 60, 110)),
  saas("Asana token", "1/", run(DIGITS, 15, 17), ":", run(HEX, 32)),
];
