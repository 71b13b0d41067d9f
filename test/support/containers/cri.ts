import { fileURLToPath } from "node:url";
import { shell } from "../daemon.ts";
import { goProgram } from "../go-program.ts";
import type { Containerd } from "./containerd.ts";

const PROGRAM = goProgram({
  name: "cri",
  source: fileURLToPath(new URL("../../containers/cri", import.meta.url)),
  build: ["build"],
  what: "a client of Kubernetes' interface",
});

/** Why containerd cannot be asked as kubelet asks it. */
export const criAbsent = (): string | undefined => PROGRAM.absent();

/** A pod with one container, by what names them. */
export interface Pod {
  readonly id: string;
  readonly container: string;
}

/** Asks what kubelet asks. Images and containers are in containerd's namespace `k8s.io`. */
export class Cri {
  private readonly containerd: Containerd;

  constructor(containerd: Containerd) {
    this.containerd = containerd;
  }

  /** @param call as the protocol has it: `RuntimeService/StopPodSandbox` */
  async ask(call: string, request: object = {}): Promise<Record<string, never>> {
    const { status, stdout, stderr } = await shell(
      'exec "$@"',
      ...[PROGRAM.path, this.containerd.address, call, JSON.stringify(request)],
    );
    if (status !== 0) throw new Error(`${call}: ${stderr}\n${this.containerd.log()}`);
    return JSON.parse(stdout);
  }

  /** Pulls an image by name. */
  async pull(image: string): Promise<void> {
    await this.ask("ImageService/PullImage", { image: { image } });
  }

  /**
   * Starts a pod in the machine's network, for which no plug-ins are needed, with a container that sleeps.
   *
   * @param mounts of the container, as the protocol has them
   */
  async run(name: string, image: string, mounts: readonly object[] = []): Promise<Pod> {
    const linux = {
      cgroup_parent: `/${this.containerd.namespace}/${name}`,
      security_context: { namespace_options: { network: "NODE" } },
    };
    const sandbox = {
      metadata: { name, uid: name, namespace: "test" },
      log_directory: this.containerd.dir,
      linux,
    };
    const { podSandboxId: id } = await this.ask("RuntimeService/RunPodSandbox", { config: sandbox });
    const { containerId: container } = await this.ask("RuntimeService/CreateContainer", {
      pod_sandbox_id: id,
      config: {
        ...{ metadata: { name }, image: { image }, command: ["/bin/sleep", "1000"], log_path: `${name}.log` },
        mounts,
        linux: { security_context: linux.security_context },
      },
      sandbox_config: sandbox,
    });
    await this.ask("RuntimeService/StartContainer", { container_id: container });
    return { id, container };
  }

  /** What a shell in a container prints. */
  async exec({ container }: Pod, script: string): Promise<string> {
    const cmd = ["/bin/sh", "-c", script];
    const { stdout, exitCode } = await this.ask("RuntimeService/ExecSync", { container_id: container, cmd });
    if (exitCode !== undefined) throw new Error(`${script}: exit code ${exitCode}`);
    return Buffer.from(stdout, "base64").toString();
  }

  async remove({ id }: Pod): Promise<void> {
    await this.ask("RuntimeService/StopPodSandbox", { pod_sandbox_id: id });
    await this.ask("RuntimeService/RemovePodSandbox", { pod_sandbox_id: id });
  }
}
