import type { Events } from "../api/shapes.ts";

/** As nydusd has it. */
const MAX_ERRORS = 500;
const MAX_SIZE = 50 * 1024;

/** The last things that went wrong, with when: as many as fit. */
export class ErrorRing {
  private readonly errors: string[] = [];
  private size = 0;

  push(message: string, now = new Date()): void {
    const error = Buffer.from(`${now.toUTCString()} - ${message}`).subarray(0, MAX_SIZE).toString();
    const size = Buffer.byteLength(error);
    while (this.errors.length >= MAX_ERRORS || this.size + size > MAX_SIZE) {
      const oldest = this.errors.shift();
      if (oldest === undefined) return; // a character that was cut through became longer
      this.size -= Buffer.byteLength(oldest);
    }
    this.errors.push(error);
    this.size += size;
  }

  all(): Events {
    return {
      max_errors: MAX_ERRORS,
      total_errors: this.errors.length,
      max_size: MAX_SIZE,
      total_size: this.size,
      errors: [...this.errors],
    };
  }
}
