/** @file Style sheets are imported for what they do. */
export {};
