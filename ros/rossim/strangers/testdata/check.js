'use strict';
// Counts what a script finds true, as check.py does.

const assert = require('assert');
const crypto = require('crypto');
const tls = require('tls');

const env = process.env;
let passed = 0;
let failed = 0;

function report(what, holds, shown) {
  if (holds) {
    passed++;
    console.log('ok ' + what);
  } else {
    failed++;
    console.log('FAILED ' + what + ' ' + (shown || ''));
  }
}

function same(what, got, want) {
  let holds = true;
  try {
    assert.deepStrictEqual(got, want);
  } catch (e) {
    holds = false;
  }
  report(what, holds, 'got ' + JSON.stringify(got) + ', want ' + JSON.stringify(want));
}

// has: every attribute has its value; undefined: it is absent.
function has(what, row, want) {
  for (const name of Object.keys(want)) {
    same(what + ': ' + name, row && row[name], want[name]);
  }
}

async function refused(what, promise, pattern) {
  try {
    const got = await promise;
    report(what, false, 'no error but ' + JSON.stringify(got));
  } catch (e) {
    report(what, pattern.test(e.message), 'got ' + e.message + ', want ' + pattern);
  }
}

// certificate of the router, compared by fingerprint.
function certificate() {
  return new Promise((resolve, reject) => {
    const s = tls.connect({ host: env.ROUTER_HOST, port: Number(env.ROUTER_TLS_PORT), rejectUnauthorized: false }, () => {
      const raw = s.getPeerCertificate().raw;
      s.end();
      const digest = crypto.createHash('sha256').update(raw).digest('hex');
      same('certificate', 'sha256:' + digest, env.ROUTER_FINGERPRINT.toLowerCase());
      resolve('-----BEGIN CERTIFICATE-----\n' + raw.toString('base64').replace(/(.{64})/g, '$1\n') + '\n-----END CERTIFICATE-----\n');
    });
    s.on('error', reject);
  });
}

// run plays the steps one after the other and tells the verdict.
function run(steps) {
  steps()
    .catch((e) => report('no step throws', false, e && (e.stack || e.message || e)))
    .then(() => {
      if (failed > 0) {
        console.log('failed ' + failed);
        process.exit(1);
      }
      console.log('passed ' + passed);
      process.exit(0);
    });
}

const where = { host: env.ROUTER_HOST, port: Number(env.ROUTER_PORT), user: env.ROUTER_USER, password: env.ROUTER_PASSWORD, timeout: 60 };

module.exports = { env, where, report, same, has, refused, certificate, run };
