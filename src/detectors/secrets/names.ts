import { isLetter } from "../shared/text.ts";

/**
 * What the name before an assignment promises: `password` a password, which people think up; `secret` a value that machines draw;
 * `hint` a word that stands near secrets (`key`, `auth`, the name of a service), so that only a value that looks random counts.
 */
export interface NamePromise {
  readonly kind: "password" | "secret" | "hint";
  /** The name of a service whose tokens have no prefix of their own stands in it. */
  readonly vendor: string | undefined;
  /** Some vendors give keys as UUIDs or bare numbers: there these count. */
  readonly plainIds: boolean;
}

/** Longest stretch before an operator that is read as a name, in UTF-16 units. */
export const NAME_CHARS_MAX = 72;

const set = (words: string): ReadonlySet<string> => new Set(words.split(/\s+/).filter((word) => word !== ""));

const PASSWORD_WORDS = set(`
  password passwd passwort kennwort pwd passphrase passcode pass pw contraseña contrasena clave senha motdepasse mdp wachtwoord hasło haslo
  heslo lösenord пароль 密码 密碼 口令 パスワード 비밀번호`);
const SECRET_WORDS = set(`
  secret secrets token tokens credential credentials creds apikey apikeys apitoken apisecret appkey appsecret accesskey accesstoken authkey
  authtoken secretkey secrettoken privatekey privkey accountkey sharedkey masterkey servicekey licensekey licencekey sessionkey storagekey
  encryptionkey signingkey clientkey clientsecret dbkey hmackey deploykey subscriptionkey passkey sharedaccesskey webhooksecret
  accesskeysecret secretaccesskey bearertoken refreshtoken idtoken jwt bearer 密钥 密鑰 令牌 秘钥 私钥`);
/** Before `key`: together they are a secret. */
const KEY_OWNERS = set(`
  api access auth authentication authorization secret private priv account shared master service license licence session storage encryption
  encrypt decryption signing sign client db database hmac deploy subscription app application admin server webhook function functions host
  system user push cipher crypto aes jwt token write read ingest ingestion insert integration publishable restricted root ssh rsa project
  consumer developer dev prod production staging test live merchant payment gateway search maps bot`);
const HINT_WORDS = set(`key keys auth access api authorization authentication apis oauth session sessionid`);
/** Names of services that give tokens without a prefix; lower case, without signs. */
const VENDORS = set(`
  adafruit adobe airtable algolia alibaba aliyun asana atlassian confluence jira beamer bitbucket bittrex meraki cloudflare codecov cohere
  coinbase confluent contentful datadog discord droneci drone dropbox etsy facebook fastly finicity finnhub flickr freshbooks gitter
  gocardless heroku hubspot intercom jfrog artifactory bintray xray kraken kucoin launchdarkly linear linkedin lob looker mailchimp mailgun
  mapbox mattermost messagebird netlify newrelic nytimes newyorktimes okta plaid privateai rapidapi sendbird sentry snyk sonar squarespace
  sumologic sumo telegram telegr travis travisci twitch twitter typeform yandex zendesk softlayer cloudant ibm ibmcloud openai azure aws gcp
  anthropic mistral deepseek pagerduty opsgenie mixpanel amplitude auth0 supabase vercel digitalocean linode vultr ovh scaleway paypal
  braintree adyen plivo nexmo vonage infura alchemy etherscan pinecone elastic snowflake sonarqube circleci github gitlab slack stripe
  twilio sendgrid npm pypi nuget dockerhub moralis binance huobi okx bybit shodan virustotal censys securitytrails hunter clearbit ipinfo
  ipstack openweather openweathermap weatherapi alphavantage newsapi tmdb spotify reddit instagram tiktok trello github bugsnag rollbar
  logdna loggly papertrail honeycomb lightstep wakatime postmark mailjet sparkpost mandrill sendinblue klaviyo iterable branch adjust
  appsflyer onesignal pusher ably pubnub firebase cloudinary imgix uploadcare filestack gumroad paddle chargebee recurly wepay contribsys sidekiq cisco`);
/** Two words that are one service. */
const VENDOR_PAIRS = set(`
  newrelic sumologic launchdarkly messagebird linkedin privateai travisci droneci newyork rapidapi ibmcloud mailchimp gocardless sonarqube`);
const PLAIN_ID_VENDORS = set(
  `heroku hubspot kucoin messagebird sendbird snyk squarespace discord asana facebook plaid okta linkedin sonar`,
);

/** After a word of secrets: then the name is of something about it. */
const ASIDES = set(`
  id ids name names url urls uri uris link file files filename path paths dir folder length len size sizes type types kind count counts max
  min limit limits version versions alg algorithm hint policy expiry expires expiration expire expired ttl age field fields label labels
  regex pattern prefix suffix format column table index idx enabled disabled required optional prompt message msg text title endpoint
  endpoints header headers param params parameter parameters class input output validator validation rules rule reset forgot change changed
  status state count used usage store manager provider factory service handler helper error errors exception strength score confirmation
  placeholder description desc help info location region bucket rotation source target scope scopes issuer audience exists valid invalid
  hash hashed hashes code codes board boards press pressed down up left right frame frames stroke ring rings chain chains mesh pair pairs word words vault
  selector selectors signature stone storetype alias aliases tab map mapping group groups schema spec bits arn budget budgets cost costs
  per sec second seconds window limit rate estimate estimator izer stream list set dict array event events code maker bucket`);
/** Before a word of secrets: then it is none. */
const HARMLESS = set(`
  public pub primary foreign partition sort hot short press cache natural schema sequence surrogate unique composite object row map dict
  hash routing ordering order group index translation i18n locale message csrf xsrf antiforgery idempotency next nexttoken page paging
  pagination continuation cursor max min num number count total prompt completion input output reasoning cached sync lookup join item
  bucket s3 file registry tag label column field arrow enter escape esc tab shift ctrl control alt meta function any each every which
  verification lexer parser syntax special pad eos bos unk mask sep stop end start separator delimiter keyboard piano pub checksum
  fingerprint thumbprint digest commit sha sha1 sha256 sha512 md5 etag integrity resolved revision rev`);
/** Last word of a name whose value is a digest or a version of something. */
const DIGESTS = set(`
  sha sha1 sha224 sha256 sha384 sha512 md5 digest checksum checksums hash integrity etag commit rev revision fingerprint thumbprint version
  signature sig crc crc32 ref head tag image`);
const ENDS_IN_SECRET = /(?:password|passwd|passphrase|secret|token|apikey|api_key|accesskey|secretkey|privatekey|authkey)$/;
const ENDS_IN_PASSWORD = /(?:password|passwd|passphrase)$/;

/** The first three letters of every word above, as `tripleOf`: a name without any of these promises nothing, and most have none. */
const TRIPLES: Uint8Array = (() => {
  const triples = new Uint8Array(32 ** 3);
  const mark = (word: string): void => {
    const triple = tripleOf(word, 0);
    if (word.length > 2) triples[triple] = 1;
    else for (let third = 0; third < 32; third += 1) triples[(triple & ~31) | third] = 1;
  };
  for (const words of [PASSWORD_WORDS, SECRET_WORDS, HINT_WORDS, VENDORS]) for (const word of words) mark(word);
  for (const word of ["pw", "secret", "token", "key"]) mark(word);
  for (const pair of VENDOR_PAIRS) mark(pair);
  return triples;
})();

/** First letters, or letters, of the words above in other scripts. */
const FOREIGN: ReadonlySet<number> = new Set([..."密口令钥鑰秘私パ비пПñłö"].map((letter) => letter.charCodeAt(0)));

/** Three units as one number, without regard to case; a word of two letters ends in zero bits. */
function tripleOf(text: string, at: number): number {
  return ((text.charCodeAt(at) & 31) << 10) | ((text.charCodeAt(at + 1) & 31) << 5) | (text.charCodeAt(at + 2) & 31);
}

/** Whether the text from `start` to `end` may hold a word of the lists: cheap, and true far more often than needed. */
export function mayPromise(text: string, start: number, end: number): boolean {
  for (let at = start; at < end; at += 1) if (mayPromiseAt(text, at)) return true;
  return false;
}

/** Whether such a word may begin there: at a letter, as all do. */
export function mayPromiseAt(text: string, at: number): boolean {
  const code = text.charCodeAt(at);
  return code > 127 ? FOREIGN.has(code) : isLetter(code) && TRIPLES[tripleOf(text, at)] === 1;
}

/** What a name promises; undefined where it promises nothing. */
export function promiseOf(name: string): NamePromise | undefined {
  const words = wordsOf(name);
  if (DIGESTS.has(words.at(-1) ?? "")) return undefined;
  const vendor = vendorOf(words);
  let kind: NamePromise["kind"] | undefined;
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at] ?? "";
    const found = kindOf(word, words[at - 1]);
    if (found === undefined) continue;
    const [before, behind] = [words[at - 1] ?? "", words[at + 1] ?? ""];
    if (ASIDES.has(behind) || (HARMLESS.has(before) && !(found === "password"))) {
      if (found === "hint") continue;
      return undefined;
    }
    if (kind === undefined || kind === "hint" || found === "password") kind = found;
  }
  if (kind === undefined && vendor === undefined) return undefined;
  return { kind: kind ?? "hint", vendor, plainIds: vendor !== undefined && PLAIN_ID_VENDORS.has(vendor) };
}

function kindOf(word: string, before: string | undefined): NamePromise["kind"] | undefined {
  if (PASSWORD_WORDS.has(word)) return "password";
  if (SECRET_WORDS.has(word)) return "secret";
  if ((word === "key" || word === "keys") && before !== undefined && KEY_OWNERS.has(before)) return "secret";
  if (HINT_WORDS.has(word)) return "hint";
  if (word.length > 5 && ENDS_IN_SECRET.test(word)) return ENDS_IN_PASSWORD.test(word) ? "password" : "secret";
  for (const east of ["密码", "口令", "密钥", "令牌"])
    if (word.endsWith(east)) return east === "密码" || east === "口令" ? "password" : "secret";
  return undefined;
}

function vendorOf(words: readonly string[]): string | undefined {
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at] ?? "";
    if (VENDORS.has(word)) return word;
    const pair = word + (words[at + 1] ?? "");
    if (VENDOR_PAIRS.has(pair)) return pair;
  }
  return undefined;
}

/** `myApiKey2` and `MY_API-KEY` are words: my, api, key. */
export function wordsOf(name: string): readonly string[] {
  return name
    .replace(/([\p{Ll}0-9])(\p{Lu})/gu, "$1 $2")
    .replace(/(\p{Lu}+)(\p{Lu}\p{Ll})/gu, "$1 $2")
    .toLowerCase()
    .split(/[^\p{L}0-9]+|(?<=[a-z]{3})\d+$/u)
    .filter((word) => word !== "");
}

/** The last words of a phrase, a blank between two. */
export function lastWordsOf(phrase: string, count: number): string {
  const trimmed = phrase.trim();
  let [start, words] = [trimmed.length, 0];
  while (start > 0) {
    while (start > 0 && !isBlank(trimmed.charCodeAt(start - 1))) start -= 1;
    words += 1;
    if (words === count) break;
    while (start > 0 && isBlank(trimmed.charCodeAt(start - 1))) start -= 1;
  }
  const last = trimmed.slice(start);
  return /\s\s|[^\S ]/.test(last) ? last.split(/\s+/).join(" ") : last;
}
/** As `\s` has it, of folded text. */
const isBlank = (code: number): boolean =>
  code === 32 || (code >= 9 && code <= 13) || code === 0x1680 || code === 0x2028 || code === 0x2029;
