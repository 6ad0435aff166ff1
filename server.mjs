/** The drop-in entry for clients of the old ledger's server, which spawn `node server.mjs` in this package's folder. */
import "./dist/bin/server.js"
