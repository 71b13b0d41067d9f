/**
 * To be raised whenever other bytes are made of the same layers: what an older builder made, and a cache still has, is not believed
 * then. A test holds the bytes.
 */
export const BUILDER_VERSION = 2;
