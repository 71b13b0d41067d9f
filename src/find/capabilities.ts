/** Names of capabilities, by number. Source: linux/include/uapi/linux/capability.h */
export const CAPABILITIES = [
  ...["chown", "dac_override", "dac_read_search", "fowner", "fsetid", "kill", "setgid", "setuid", "setpcap"],
  ...[
    "linux_immutable",
    "net_bind_service",
    "net_broadcast",
    "net_admin",
    "net_raw",
    "ipc_lock",
    "ipc_owner",
  ],
  ...[
    "sys_module",
    "sys_rawio",
    "sys_chroot",
    "sys_ptrace",
    "sys_pacct",
    "sys_admin",
    "sys_boot",
    "sys_nice",
  ],
  ...[
    "sys_resource",
    "sys_time",
    "sys_tty_config",
    "mknod",
    "lease",
    "audit_write",
    "audit_control",
    "setfcap",
  ],
  ...["mac_override", "mac_admin", "syslog", "wake_alarm", "block_suspend", "audit_read", "perfmon", "bpf"],
  "checkpoint_restore",
] as const;

/**
 * Whether the permitted or the inheritable set of a file has a capability.
 *
 * @param value `struct vfs_cap_data` or `vfs_ns_cap_data`, little-endian: u32 revision and flags, then for each 32
 * capabilities u32 permitted, u32 inheritable
 */
export function hasCapability(value: Uint8Array, number: number): boolean {
  const v = new DataView(value.buffer, value.byteOffset, value.byteLength);
  const at = 4 + 8 * (number >> 5);
  if (at + 8 > value.length) return false; // revision 1 has 32 of them
  return (((v.getUint32(at, true) | v.getUint32(at + 4, true)) >>> (number & 31)) & 1) === 1;
}
