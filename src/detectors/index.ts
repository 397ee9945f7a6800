import type { Detector } from "../core/detector.ts";
import { cryptoAddress } from "./crypto-address.ts";
import { dateOfBirth } from "./date-of-birth.ts";
import { drivingLicence } from "./driving-licence.ts";
import { email } from "./email.ts";
import { iban } from "./iban.ts";
import { ipAddress } from "./ip-address.ts";
import { macAddress } from "./mac-address.ts";
import { arCuit } from "./national/ar-cuit.ts";
import { auMedicare } from "./national/au-medicare.ts";
import { auTfn } from "./national/au-tfn.ts";
import { beNationalNumber } from "./national/be-national-number.ts";
import { brCnpj } from "./national/br-cnpj.ts";
import { brCpf } from "./national/br-cpf.ts";
import { caSin } from "./national/ca-sin.ts";
import { chAhv } from "./national/ch-ahv.ts";
import { clRut } from "./national/cl-rut.ts";
import { cnResidentId } from "./national/cn-resident-id.ts";
import { deIdCard } from "./national/de-id-card.ts";
import { deTaxId } from "./national/de-tax-id.ts";
import { dkCpr } from "./national/dk-cpr.ts";
import { esDni } from "./national/es-dni.ts";
import { esNie } from "./national/es-nie.ts";
import { fiHetu } from "./national/fi-hetu.ts";
import { frNir } from "./national/fr-nir.ts";
import { hkId } from "./national/hk-id.ts";
import { hrOib } from "./national/hr-oib.ts";
import { iePps } from "./national/ie-pps.ts";
import { ilId } from "./national/il-id.ts";
import { inAadhaar } from "./national/in-aadhaar.ts";
import { inPan } from "./national/in-pan.ts";
import { itFiscalCode } from "./national/it-fiscal-code.ts";
import { jpMyNumber } from "./national/jp-my-number.ts";
import { krRrn } from "./national/kr-rrn.ts";
import { mxCurp } from "./national/mx-curp.ts";
import { nlBsn } from "./national/nl-bsn.ts";
import { noFodselsnummer } from "./national/no-fodselsnummer.ts";
import { plPesel } from "./national/pl-pesel.ts";
import { ptNif } from "./national/pt-nif.ts";
import { roCnp } from "./national/ro-cnp.ts";
import { ruSnils } from "./national/ru-snils.ts";
import { sePersonnummer } from "./national/se-personnummer.ts";
import { sgNric } from "./national/sg-nric.ts";
import { thId } from "./national/th-id.ts";
import { trKimlik } from "./national/tr-kimlik.ts";
import { twId } from "./national/tw-id.ts";
import { ukNhs } from "./national/uk-nhs.ts";
import { ukNino } from "./national/uk-nino.ts";
import { usItin } from "./national/us-itin.ts";
import { usSsn } from "./national/us-ssn.ts";
import { zaId } from "./national/za-id.ts";
import { passport } from "./passport.ts";
import { paymentCard } from "./payment-card.ts";
import { phone } from "./phone.ts";
import { hiddenSecrets } from "./secrets/hidden.ts";
import { secrets } from "./secrets/index.ts";
import { url } from "./url.ts";
import { urlWithCredentials } from "./url-with-credentials.ts";
import { vin } from "./vin.ts";

export { merged, type Weigh } from "./shared/overlaps.ts";
export { type Decided, StreamScan, scan, scanSliced, weighed } from "./shared/scan.ts";

/** Everything that Sluice knows to find. Where two findings overlap and are equally sure and long, the one earlier in this list stands. */
export const DETECTORS: readonly Detector[] = [
  urlWithCredentials,
  email,
  paymentCard,
  iban,
  cryptoAddress,
  usSsn,
  usItin,
  ukNino,
  ukNhs,
  cnResidentId,
  deTaxId,
  deIdCard,
  frNir,
  esDni,
  esNie,
  itFiscalCode,
  nlBsn,
  plPesel,
  inAadhaar,
  inPan,
  brCpf,
  brCnpj,
  arCuit,
  auMedicare,
  auTfn,
  beNationalNumber,
  caSin,
  chAhv,
  clRut,
  dkCpr,
  fiHetu,
  hkId,
  hrOib,
  iePps,
  ilId,
  jpMyNumber,
  krRrn,
  mxCurp,
  noFodselsnummer,
  ptNif,
  roCnp,
  ruSnils,
  sePersonnummer,
  sgNric,
  thId,
  trKimlik,
  twId,
  zaId,
  vin,
  passport,
  drivingLicence,
  dateOfBirth,
  ipAddress,
  macAddress,
  phone,
  secrets,
  hiddenSecrets,
  url,
];

/** Every entity that is built in. */
export const ENTITIES: ReadonlySet<string> = new Set(DETECTORS.flatMap(({ entities }) => entities));
/** Findings less sure than this are left, where a policy says nothing else: 1 a checksum or published shape, 0.8 a word of context near it. */
export const SCORE_MIN = 0.5;

/** The detectors of the named entities; one that reports several is taken when any of them is named. */
export const detectorsOf = (entities: ReadonlySet<string>): readonly Detector[] =>
  DETECTORS.filter((detector) => detector.entities.some((entity) => entities.has(entity)));

/** The entities that a profile looks for. `strict` has all of `standard`. */
export const entitiesOf = (profile: "standard" | "strict"): readonly string[] =>
  DETECTORS.filter((detector) => detector.profile === "standard" || detector.profile === profile).flatMap(({ entities }) => entities);
