export { type CustomPattern, customPatternDetector } from "./patterns.ts";
export { except, oneOf, type WordList, wordDetector } from "./words.ts";
