// What a client that opens the bundle starts: the official library puts in the user's settings, and prints it.
// usage: node config.mjs LIBRARY FOLDER SETTINGS
import { readFileSync } from "node:fs";

const [library, extensionPath, settings] = process.argv.slice(2);
const { getMcpConfigForManifest } = await import(library);
const manifest = JSON.parse(readFileSync(`${extensionPath}/manifest.json`, "utf8"));
const userConfig = JSON.parse(settings);
const config = await getMcpConfigForManifest({ manifest, extensionPath, systemDirs: {}, userConfig, pathSeparator: "/" });
console.log(JSON.stringify(config));
