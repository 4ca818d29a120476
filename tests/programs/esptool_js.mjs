// npm's esptool-js, unmodified, on an RFC 2217 port:
//   node esptool_js.mjs PACKAGE HOST PORT IMAGE ADDRESS
// Identifies the chip, writes the image through the loader of the ROM, compares its MD5 there.
//
// What a browser has as its SerialPort is made here of a TCP connection and RFC 2217's requests.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
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
        this.readable = new ReadableStream({
            start: (to) => {
                this.socket.on("data", (chunk) => {
                    const data = this.telnet.decode(chunk);
                    if (data.length) to.enqueue(data);
                });
            },
        });
        this.writable = new WritableStream({ write: (bytes) => this.send(escaped([...bytes])) });
        await this.send([BINARY, COM_PORT].flatMap((o) => [IAC, WILL, o, IAC, DO, o]));
        await this.request(SET_BAUDRATE, [24, 16, 8, 0].map((n) => (baudRate >> n) & 255));
    }
    async setSignals({ dataTerminalReady: dtr, requestToSend: rts }) {
        if (dtr !== undefined) await this.request(SET_CONTROL, [dtr ? DTR_ON : DTR_OFF]);
        if (rts !== undefined) await this.request(SET_CONTROL, [rts ? RTS_ON : RTS_OFF]);
    }
    async close() {
        this.socket.destroy();
    }
}

const [folder, host, port, image, address] = process.argv.slice(2);
const { ESPLoader, Transport } = await import(pathToFileURL(`${folder}/lib/index.js`));
const log = console.log;
console.log = () => {}; // it traces every byte
const transport = new Transport(new Port(host, Number(port)), false);
const loader = new ESPLoader({
    transport,
    baudrate: 115200,
    romBaudrate: 115200,
    terminal: { clean() {}, write() {}, writeLine() {} },
});
await loader.detectChip();
log(`chip ${loader.chip.CHIP_NAME}`);
log(`flash ${(await loader.readFlashId()).toString(16)}`);

const size = loader.FLASH_WRITE_SIZE;
const data = readFileSync(image);
const blocks = await loader.flashBegin(data.length, Number(address));
for (let i = 0; i < blocks; i++) {
    const block = new Uint8Array(size).fill(0xff);
    block.set(data.subarray(i * size, (i + 1) * size));
    await loader.flashBlock(block, i, 5000);
}
// The ROM tells a digest as 32 characters, and the stub, which esptool-js expects, as 16 bytes.
const [, told] = await loader.command(
    loader.ESP_SPI_FLASH_MD5,
    loader._appendArray(
        loader._appendArray(loader._intToByteArray(Number(address)), loader._intToByteArray(data.length)),
        new Uint8Array(8),
    ),
);
const digest = new TextDecoder().decode(told.slice(0, 32));
log(digest === createHash("md5").update(data).digest("hex") ? "digest agrees" : `digest ${digest}`);
process.exit(0);
