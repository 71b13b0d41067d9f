/** Bytes of a unix socket's path, without the NUL: Node cuts a longer one off and says nothing. Source: unix(7), `sun_path`. */
export const MAX_SOCKET_PATH = 107;
