/**
 * Every cap of the process, in one place, with its unit. A cap is met by a clear refusal, never by a crash and
 * never by a bypass. Those that operators may change are defaults of the policy document's `limits` section.
 */
export const MIB = 1024 * 1024;

/** Largest request or answer body held, in bytes. */
export const BODY_BYTES_MAX = 32 * MIB;
/** Bytes of all bodies held at once by one process; past it new exchanges are refused as `overloaded`. */
export const IN_FLIGHT_BYTES_MAX = 256 * MIB;
/** Deepest nesting of a JSON body. */
export const JSON_DEPTH_MAX = 128;
/** Most values in one JSON body: 100,000 messages with a block each, and the codec's look at each of them stays below a stall (50 ms). */
export const JSON_VALUES_MAX = 700_000;
/** Most values of a large JSON answer that is read; ten times the largest batch of vectors that a provider gives. Past it, it counts as unreadable. */
export const ANSWER_VALUES_MAX = 3_000_000;
/** Most parts (choices, blocks, calls) of one answer or event that is read, and most pieces of a transcript; past it, it counts as unreadable. */
export const ANSWER_PARTS_MAX = 20_000;
export const ANSWER_PIECES_MAX = 100_000;
/** Most members of one JSON object: the table of its keys grows in one step, and that step is felt from some 100,000 on. */
export const JSON_MEMBERS_MAX = 200_000;
/** Most parts of a multipart form. */
export const FORM_PARTS_MAX = 256;
/** Headers of one part of a form, in bytes. */
export const FORM_HEADER_BYTES_MAX = 8192;
/** All text fields of a form together, in bytes; files count as body only. */
export const FORM_TEXT_BYTES_MAX = MIB;
/** How long things that callers made at providers are remembered; OpenAI keeps responses 30 days. */
export const STATE_KEPT_MS = 30 * 24 * 3_600_000;
/** Things remembered for one tenant. */
export const STATE_ROWS_MAX = 500_000;
/** Things that wait to be written. */
export const STATE_PENDING_MAX = 50_000;
/** What is noted beside a kept response, UTF-8 bytes: some 150 stand-ins, the latest count. */
export const STATE_NOTE_BYTES_MAX = 16_384;
/** References to kept state in one request. */
export const STATE_REFS_MAX = 1000;
/** Largest SSE event (all its lines), in bytes. A larger one passes on unread, and the record says so. */
export const SSE_EVENT_BYTES_MAX = 16 * MIB;
/** Most unknown contract fields kept in a record. */
export const UNKNOWN_FIELDS_MAX = 16;
/** Exchanges one process carries at once; past it, `overloaded`. Above Envoy's own 1024 requests per cluster. */
export const EXCHANGES_MAX = 4096;
/** Text past this many characters is worked on in slices of `SLICE_MS`. */
export const YIELD_CHARS = 65_536;
/** Longest run on the event loop for one exchange, in milliseconds. */
export const SLICE_MS = 5;
/** Audit entries that wait for the disk, in bytes. */
export const AUDIT_PENDING_BYTES_MAX = 16 * MIB;
/** Verified tokens remembered by one process and policy version. */
export const TOKENS_CACHED_MAX = 10_000;
/** Longest that a call waits for an issuer's keys, milliseconds; only where keys were not asked for in the last `KEY_ASK_GAP_MS`. */
export const KEY_WAIT_MS = 2_000;
/** Least time between two fetches of one key set that tokens with an unknown key cause, milliseconds. */
export const KEY_ASK_GAP_MS = 30_000;
/** Largest key set or discovery document, bytes. */
export const KEY_SET_BYTES_MAX = 512 * 1024;
/** Most keys taken of one set. */
export const KEY_SET_KEYS_MAX = 100;
/** Scopes of one step of the ledger. */
export const LEDGER_SCOPES_MAX = 128;
/** Longest key of a ledger's scope, name of its partition or id of an exchange, in UTF-16 units. */
export const LEDGER_KEY_CHARS_MAX = 256;
/** Longest lease of a hold, milliseconds: a day. */
export const LEDGER_LEASE_MS_MAX = 24 * 3_600_000;
/** How long the ledger knows that an exchange was settled, milliseconds: a repeated settle within it changes nothing. */
export const LEDGER_CLOSED_KEPT_MS = 10 * 60_000;
/** How long a window and what lapsed in it are kept after its end for those who settle late, milliseconds. */
export const LEDGER_WINDOW_KEPT_MS = 2 * 3_600_000;
/** Settles and releases that wait for a store that is gone. */
export const LEDGER_QUEUED_MAX = 50_000;
/** Rows of one page of a ledger's list. */
export const LEDGER_PAGE_MAX = 1_000;
/** How often one exchange may be planned anew, because a budget or a cap refused the plan before. */
export const REPLANS_MAX = 4;
/** Bytes of a streamed answer's frames that wait for the guards' word; past it the answer is ended. */
export const GUARDED_BYTES_MAX = 4 * MIB;
/**
 * Text that one request or answer may have counted by an exact tokenizer, in UTF-16 units: 4 ms of prose, 60 ms of the worst text. The rest
 * is estimated at the ratio found.
 */
export const EXACT_TOKENS_CHARS_MAX = 16_384;
/** Text of one request whose tokens are counted, UTF-16 units: some 20 ms. Of a longer one, pieces spread evenly over it stand for the rest. */
export const COUNTED_CHARS_MAX = 1024 * 1024;
/** Tool calls of one tenant that wait for approvers; past it a further one is refused as `overloaded`. */
export const APPROVALS_PENDING_MAX = 1_000;
/** Longest arguments of a tool call that approvers are shown, bytes of canonical JSON; a call with longer ones is refused. */
export const APPROVAL_ARGUMENTS_BYTES_MAX = 64 * 1024;
/** Largest answer that a guard may withhold and keep whole, bytes; and so the largest that is kept for its caller until it is approved. */
export const WITHHELD_BYTES_MAX = 4 * MIB;
/** How long what became of an approval can be looked up, milliseconds after its end. */
export const APPROVAL_KEPT_MS = 7 * 24 * 3_600_000;
/** How long one process has to tell approvers of a call that waits, before another tries, milliseconds: all tries of a webhook and their waits. */
export const APPROVAL_TELLING_MS = 60_000;
/** How long a conversation is known to be tainted, milliseconds after it last was. */
export const TAINT_KEPT_MS = 24 * 3_600_000;
/** Conversations of one tenant known to be tainted; past it the oldest are forgotten, and their next tainted call marks them again. */
export const TAINTED_CONVERSATIONS_MAX = 100_000;
/** Longest arguments of a tool call that rules check, and longest text that is held against a JSON Schema, UTF-16 units; a longer one breaks the rule. */
export const CALL_CHARS_MAX = MIB;
/** Most values of either: a check of them with a schema of a few levels stays below a stall (50 ms). */
export const CALL_VALUES_MAX = 10_000;
/** Most steps of one such check: subschemas held against values. Seen to take 20 to 40 ms. */
export const CALL_CHECK_STEPS_MAX = 25_000;
/** Lanes (choice, block, channel) of one answer that guards read at once; real answers have tens. */
export const GUARDED_LANES_MAX = 4_096;
/** Claims at the ledger that one process has open: exchanges, each with its tenant's and its provider account's. */
export const LEDGER_CLAIMS_MAX = 16_384;
/** Rows of the embedded ledger that one process remembers between transactions; past it, all are read anew. */
export const LEDGER_ROWS_KEPT_MAX = 20_000;
/** Values of one request that get stand-ins; further ones are masked. */
export const PSEUDONYMS_MAX = 2_000;
/** Text of one request that a remote analyser or classifier is sent, in UTF-16 units; past it the stage's fault mode decides. */
export const REMOTE_CHARS_MAX = 2 * MIB;
/** Text of one call to a remote analyser, in UTF-16 units: some 100 ms of an ordinary Presidio. Longer texts go in pieces. */
export const ANALYSER_PIECE_CHARS_MAX = 65_536;
/** Texts of one call to a remote analyser or classifier. */
export const REMOTE_BATCH_TEXTS_MAX = 64;
/** How far pieces of a long text overlap, in UTF-16 units: entities up to half of it are found on a border too. */
export const REMOTE_OVERLAP_CHARS = 512;
/** Largest answer of one call to a remote analyser or classifier, bytes. */
export const REMOTE_ANSWER_BYTES_MAX = MIB;
/** Calls that wait for a free place at one remote service; past it a further one fails at once. */
export const REMOTE_QUEUED_MAX = 256;
/** Failures in a row after which a remote service is left alone for a while. */
export const REMOTE_FAILURES_MAX = 5;
/** How long it is left alone at first, and at most, milliseconds; then one call tries it. */
export const REMOTE_REST_MS = 1_000;
export const REMOTE_REST_MS_MAX = 8_000;
/** Longest that a key or a file of authorities is used after it was read, milliseconds. */
export const REMOTE_SECRET_KEPT_MS = 5_000;
/** Calls that one request may make of a classifier that takes one text a call. */
export const CLASSIFIER_CALLS_MAX = 128;
/** Characters of text that the injection score reads at once; longer texts are read in overlapping parts. */
export const INJECTION_PART_CHARS = 8_192;
/** What two parts share, characters: more than the longest sign. */
export const INJECTION_OVERLAP_CHARS = 1_024;
/** What of a longer text's end, and of the next one's beginning, is read as one, characters: a sentence or two. */
export const INJECTION_JOINT_CHARS = 400;
/** Scores that a process keeps by the digests of their texts: some 300 bytes each. */
export const INJECTION_SCORES_KEPT = 8_192;
/** Shorter texts are scored again, UTF-16 units: their digest takes as long. */
export const INJECTION_KEPT_CHARS_MIN = 128;
/** Encoded payloads decoded in one part, and all their characters together. */
export const INJECTION_PAYLOADS_MAX = 16;
export const INJECTION_DECODED_CHARS_MAX = 16_384;
/** How deep payloads within payloads are decoded. */
export const INJECTION_DEPTH_MAX = 2;
/** Stretches taken out of one text before the whole text goes. */
export const INJECTION_STRIPS_MAX = 8;
/** Choices of callers (profile and mode together) whose detectors a policy keeps: about 80 KB each. */
export const REDACT_CHOICES_MAX = 64;
/** Most words of one list of a policy. */
export const CUSTOM_WORDS_MAX = 20_000;
/** Longest word or phrase of such a list, in UTF-16 units. */
export const CUSTOM_WORD_CHARS_MAX = 128;
/** Longest pattern of a policy, in UTF-16 units. */
export const CUSTOM_PATTERN_CHARS_MAX = 512;
/** Longest text that such a pattern may match, in UTF-16 units: a stream holds so much. */
export const CUSTOM_MATCH_CHARS_MAX = 256;
/** Runs of base64 amid the texts of one request that are decoded and looked into; real requests have a handful. */
export const CODED_IN_TEXT_MAX = 256;
