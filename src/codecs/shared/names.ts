/**
 * Is a text a name by its signs: an id, a mode, a media type, ciphertext? What members of an API that hold names hold otherwise, somebody
 * has written there. A number that is long enough to be somebody's is none.
 */
export const isName = (text: string): boolean => NAME.test(text) && !NUMBER.test(text);
/** Base64 too. */
const NAME = /^[A-Za-z0-9_.:/+=~*;-]*$/;
const NUMBER = /^[0-9.:/+-]{7,}$/;
