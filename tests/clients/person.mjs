// A person at a real browser: goes where a program sent them, signs in, and says yes. Prints what they saw as JSON.
//   person.mjs URL NAME PASSWORD      $CHROMIUM is the browser
import { createRequire } from 'node:module';

const require = createRequire(`${process.env.CLIENTS}/package.json`);
const { chromium } = require('playwright-core');

const [url, name, password] = process.argv.slice(2);
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM,
  args: ['--no-sandbox', '--disable-gpu', '--no-proxy-server'],
});
const page = await browser.newPage();
const complaints = [];
page.on('console', (message) => complaints.push(message.text()));
page.on('pageerror', (error) => complaints.push(String(error)));
const shot = (step) =>
  process.env.SHOTS ? page.screenshot({ path: `${process.env.SHOTS}/${step}.png` }) : null;

await page.goto(url);
await shot('sign-in');
await page.getByLabel('Name').fill(name);
await page.getByLabel('Password').fill('not the password');
await page.getByRole('button', { name: 'Sign in' }).click();
const wrong = await page.getByRole('alert').innerText();
await page.getByLabel('Password').fill(password);
await page.getByRole('button', { name: 'Sign in' }).click();
await page.getByRole('button', { name: 'Let it in' }).waitFor();
await shot('consent');
const consent = await page.locator('main').innerText();
await page.getByRole('button', { name: 'Let it in' }).click();
await page.waitForURL((at) => at.pathname.startsWith('/callback'));
const cookies = await page.context().cookies(url);
console.log(JSON.stringify({ wrong, consent, at: page.url(), complaints, cookies }));
await browser.close();
