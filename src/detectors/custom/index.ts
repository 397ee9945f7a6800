export { type CustomPattern, customPatternDetector } from "./patterns.ts";
export { except, type WordList, wordDetector } from "./words.ts";
