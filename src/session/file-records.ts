/** What is recorded of single files, each thing as its key in nydusd's configuration says. */
export interface FileRecords {
  /** `iostats_files` */
  readonly counts: boolean;
  /** `access_pattern` */
  readonly pattern: boolean;
  /** `latest_read_files` */
  readonly latest: boolean;
}

export const NO_FILE_RECORDS: FileRecords = { counts: false, pattern: false, latest: false };
export const ALL_FILE_RECORDS: FileRecords = { counts: true, pattern: true, latest: true };

/** What either asks for. */
export const withRecords = (a: FileRecords, b: FileRecords = NO_FILE_RECORDS): FileRecords => ({
  counts: a.counts || b.counts,
  pattern: a.pattern || b.pattern,
  latest: a.latest || b.latest,
});

/** Any of them needs accounts, which hold enough for all. */
export const countsFiles = ({ counts, pattern, latest }: FileRecords): boolean => counts || pattern || latest;
