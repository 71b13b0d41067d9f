/** A regular expression of a text that stands for itself: a path may have any character. */
export const literally = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
