// npm's esptool-js, unmodified, on an RFC 2217 port:
//   node esptool_js.mjs PACKAGE HOST PORT IMAGE ADDRESS
// Puts its stub into the chip, has it change its rate, writes the image compressed, compares its MD5 there,
// and reads the beginning back.
//
// What a browser has as its SerialPort is made here of a TCP connection and RFC 2217's requests.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { register } from "node:module";
import net from "node:net";
import { pathToFileURL } from "node:url";

const [IAC, SE, SB, WILL, DO] = [255, 240, 250, 251, 253];
const [BINARY, COM_PORT] = [0, 44];
const [SET_BAUDRATE, SET_CONTROL] = [1, 5];
const [DTR_ON, DTR_OFF, RTS_ON, RTS_OFF] = [8, 9, 11, 12];

const escaped = (bytes) => bytes.flatMap((b) => (b === IAC ? [IAC, IAC] : [b]));

// The bytes of a port, out of a telnet stream that may be cut anywhere.
class Telnet {
    state = "data";
    decode(chunk) {
        const data = [];
        for (const b of chunk) {
            if (this.state === "data") {
                if (b === IAC) this.state = "iac";
                else data.push(b);
            } else if (this.state === "iac") {
                if (b === IAC) data.push(b);
                this.state = b === SB ? "sub" : b >= WILL && b < IAC ? "option" : "data";
            } else if (this.state === "option") this.state = "data";
            else if (this.state === "sub") this.state = b === IAC ? "sub iac" : "sub";
            else this.state = b === SE ? "data" : "sub";
        }
        return new Uint8Array(data);
    }
}

class Port {
    constructor(host, port) {
        Object.assign(this, { host, port, telnet: new Telnet() });
    }
    getInfo() {
        return {};
    }
    send(bytes) {
        return new Promise((resolve, reject) =>
            this.socket.write(Uint8Array.from(bytes), (error) => (error ? reject(error) : resolve())));
    }
    request(command, value) {
        return this.send([IAC, SB, COM_PORT, command, ...escaped(value), IAC, SE]);
    }
    async open({ baudRate }) {
        this.socket = net.connect(this.port, this.host);
        await new Promise((resolve, reject) => this.socket.once("connect", resolve).once("error", reject));
        this.socket.setNoDelay(true);
        this.socket.on("data", (chunk) => {
            const data = this.telnet.decode(chunk);
            if (data.length && this.incoming) this.incoming.enqueue(data);
        });
        this.isOpen = true;
        this.writable = new WritableStream({ write: (bytes) => this.send(escaped([...bytes])) });
        await this.send([BINARY, COM_PORT].flatMap((o) => [IAC, WILL, o, IAC, DO, o]));
        await this.request(SET_BAUDRATE, [24, 16, 8, 0].map((n) => (baudRate >> n) & 255));
    }
    // While it is open, one that was cancelled is followed by a new one.
    get readable() {
        if (!this.stream && this.isOpen)
            this.stream = new ReadableStream({
                start: (to) => (this.incoming = to),
                cancel: () => (this.incoming = this.stream = null),
            });
        return this.stream;
    }
    async setSignals({ dataTerminalReady: dtr, requestToSend: rts }) {
        if (dtr !== undefined) await this.request(SET_CONTROL, [dtr ? DTR_ON : DTR_OFF]);
        if (rts !== undefined) await this.request(SET_CONTROL, [rts ? RTS_ON : RTS_OFF]);
    }
    async close() {
        this.isOpen = false;
        this.socket.destroy();
    }
}

// Its stubs are JSON, which it imports as a bundler for browsers has it: each key is an export.
register(
    "data:text/javascript," +
        encodeURIComponent(`
            import { readFile } from "node:fs/promises";
            const text = ([key, value]) => "export const " + key + " = " + JSON.stringify(value) + ";";
            export async function load(url, context, next) {
                if (!url.endsWith(".json")) return next(url, context);
                const exported = Object.entries(JSON.parse(await readFile(new URL(url))));
                return { format: "module", shortCircuit: true, source: exported.map(text).join("") };
            }
        `),
);

const [folder, host, port, image, address] = process.argv.slice(2);
const { ESPLoader, Transport } = await import(pathToFileURL(`${folder}/lib/index.js`));
const log = console.log;
console.log = () => {}; // it traces every byte
const transport = new Transport(new Port(host, Number(port)), false);
const loader = new ESPLoader({
    transport,
    baudrate: 460800,
    romBaudrate: 115200,
    terminal: { clean() {}, write() {}, writeLine() {} },
});
await loader.main();
log(`chip ${loader.chip.CHIP_NAME}, ${loader.IS_STUB ? "stub" : "ROM"}`);
log(`flash ${(await loader.readFlashId()).toString(16)}`);

const data = readFileSync(image);
await loader.writeFlash({
    fileArray: [{ data: data.toString("latin1"), address: Number(address) }],
    flashSize: "keep",
    flashMode: "keep",
    flashFreq: "keep",
    compress: true,
    calculateMD5Hash: (text) => createHash("md5").update(text, "latin1").digest("hex"),
});
log("digest agrees"); // or it had thrown
const size = Math.min(data.length, 16384);
const back = Buffer.from(await loader.readFlash(Number(address), size));
log(back.equals(data.subarray(0, size)) ? "read back" : "read something else");
process.exit(0);
