#!/usr/bin/env node
import { createServer } from "node:http";
import { Command } from "commander";

/** A server that has the limits of the daemon's API, and nothing behind them. */
const [socket] = new Command("dummy-api").argument("<socket>").parse().args;
const server = createServer(
  {
    maxHeaderSize: 8 * 1024,
    headersTimeout: 10_000,
    requestTimeout: 10_000,
    connectionsCheckingInterval: 1000,
    keepAliveTimeout: 10_000,
  },
  (_, response) => response.writeHead(404).end("{}"),
);
server.maxConnections = 64;
server.listen(socket, () => process.stdout.write("listening\n"));
