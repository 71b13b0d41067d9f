import { readFileSync } from "node:fs";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Files that start daemons and other programs come first: those alone take long, and the others fill what time is left. */
export class ProgramsFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const runsPrograms = ({ moduleId }: TestSpecification) =>
      /\/(daemon|api|kept|containerd)\.ts"|execFile/.test(readFileSync(moduleId, "utf8"));
    return [...sorted.filter((file) => runsPrograms(file)), ...sorted.filter((file) => !runsPrograms(file))];
  }
}
