// A client that shows pages (MCP Apps), in a real browser. Prints what a person would see as JSON.
//   host.mjs PAGE TOOL RESULT…      PAGE: a file; each RESULT: JSON, the first is shown, the others answer calls
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const require = createRequire(`${process.env.CLIENTS}/package.json`);
const { chromium } = require('playwright-core');

const [file, tool, ...results] = process.argv.slice(2);
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM,
  args: ['--no-sandbox', '--disable-gpu', '--no-proxy-server'],
});
const page = await browser.newPage();
const complaints = [];
page.on('console', (message) => complaints.push(message.text()));
page.on('pageerror', (error) => complaints.push(String(error)));
await page.setContent('<iframe id="view" sandbox="allow-scripts"></iframe>');
await page.evaluate(
  ([html, tool, results]) => {
    const view = document.getElementById('view');
    const seen = (window.seen = { calls: [], sizes: 0 });
    const post = (message) => view.contentWindow.postMessage({ jsonrpc: '2.0', ...message }, '*');
    window.addEventListener('message', ({ data, source }) => {
      if (source !== view.contentWindow) return;
      if (data.method === 'ui/initialize') {
        const hostContext = { theme: 'light', toolInfo: { tool: { name: tool } } };
        const hostCapabilities = { serverTools: {} };
        post({ id: data.id, result: { protocolVersion: '2026-01-26', hostCapabilities, hostContext } });
      } else if (data.method === 'ui/notifications/initialized') {
        post({ method: 'ui/notifications/tool-input', params: { arguments: { command: 'make' } } });
        post({ method: 'ui/notifications/tool-result', params: results.shift() });
      } else if (data.method === 'tools/call') {
        seen.calls.push(data.params);
        post({ id: data.id, result: results.shift() });
      } else if (data.method === 'ui/notifications/size-changed') seen.sizes += 1;
    });
    view.srcdoc = html;
  },
  [readFileSync(file, 'utf8'), tool, results.map((one) => JSON.parse(one))],
);
const frame = page.frameLocator('#view');
const text = async () => (await frame.locator('#page').innerText()).trim();
await frame.locator('h1').waitFor();
const first = await text();
const buttons = await frame.locator('button').allInnerTexts();
let later = '';
if (results.length > 1) {
  await frame.locator('button').first().click();
  await frame.locator('h1', { hasText: 'exit code' }).waitFor();
  later = await text();
}
const made = await frame.locator('#page img, #page script, #page b').count();
console.log(JSON.stringify({ first, buttons, later, made, complaints, ...(await page.evaluate(() => window.seen)) }));
await browser.close();
