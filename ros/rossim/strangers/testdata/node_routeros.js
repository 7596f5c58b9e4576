'use strict';
// Drives a router with node-routeros: every command on a tag of its own, many of
// them at once on one connection.

const { RouterOSAPI } = require('node-routeros');
const { env, where, report, same, has, refused, certificate, run } = require('./check.js');

function connect(more) {
  return new RouterOSAPI(Object.assign({}, where, more)).connect();
}

// Its own word for what routers answer to a wrong name or password.
const cannot = /Username or password is invalid/;

async function login() {
  await refused('wrong password', connect({ password: 'not ' + env.ROUTER_PASSWORD }), cannot);
  await refused('wrong name', connect({ user: 'nobody' }), cannot);
  const pem = await certificate();
  const api = await connect({ port: Number(env.ROUTER_TLS_PORT), tls: { ca: [pem], checkServerIdentity: () => undefined } });
  same('identity over TLS', (await api.write('/system/identity/print')).length, 1);
  await api.close();
}

async function one(api, menu, id) {
  const rows = await api.write(menu + '/print', ['?.id=' + id]);
  same(menu + ' has ' + id, rows.length, 1);
  return rows[0];
}

async function add(api, menu, words) {
  const got = await api.write(menu + '/add', words);
  report('add in ' + menu, got.length === 1 && /^\*[1-9A-F][0-9A-F]*$/.test(got[0].ret), JSON.stringify(got));
  return got[0].ret;
}

async function read(api) {
  const [resource] = await api.write('/system/resource/print');
  has('resource', resource, { version: env.ROUTER_VERSION + ' (stable)', platform: 'MikroTik' });
  same('an empty menu', await api.write('/ip/pool/print'), []);
  same('no match', await api.write('/ppp/profile/print', ['?name=nosuch']), []);
  const profiles = await api.write('/ppp/profile/print', ['=.proplist=.id,name']);
  same('profiles', profiles, [{ '.id': '*0', name: 'default' }, { '.id': '*FFFFFFFE', name: 'default-encryption' }]);
}

async function change(api) {
  await add(api, '/ip/pool', ['=name=clients', '=ranges=10.10.50.10-10.10.50.50']);
  const profile = await add(api, '/ppp/profile', ['=name=l2tp', '=local-address=10.10.50.1', '=remote-address=clients']);
  has('ppp profile', await one(api, '/ppp/profile', profile), {
    name: 'l2tp', 'local-address': '10.10.50.1', 'remote-address': 'clients', 'only-one': 'default', 'dns-server': undefined,
  });
  const secret = await add(api, '/ppp/secret', ['=name=user1', '=password=pw', '=service=l2tp', '=profile=l2tp']);
  has('secret', await one(api, '/ppp/secret', secret), {
    name: 'user1', password: 'pw', service: 'l2tp', profile: 'l2tp', 'caller-id': '', 'limit-bytes-in': '0', disabled: 'false', comment: undefined,
  });
  same('set answers nothing', await api.write('/ppp/secret/set', ['=.id=' + secret, '=comment=Zoë says ok', '=disabled=yes']), []);
  has('after set', await one(api, '/ppp/secret', secret), { comment: 'Zoë says ok', disabled: 'true' });
  const long = 'x'.repeat(30000);
  await api.write('/ppp/secret/set', ['=.id=' + secret, '=comment=' + long]);
  same('a long word', (await one(api, '/ppp/secret', secret)).comment.length, long.length);
  await api.write('/ppp/secret/set', ['=.id=' + secret, '=comment=', '=remote-address=10.10.50.9']);
  has('without a comment', await one(api, '/ppp/secret', secret), { comment: undefined, 'remote-address': '10.10.50.9' });
  await api.write('/ppp/secret/unset', ['=.id=' + secret, '=value-name=remote-address']);
  has('after unset', await one(api, '/ppp/secret', secret), { 'remote-address': undefined });
  await refused('duplicate', api.write('/ppp/secret/add', ['=name=user1']), /^failure: secret with the same name already exists$/);
  same('remove', await api.write('/ppp/secret/remove', ['=.id=' + secret]), []);
  await refused('removed twice', api.write('/ppp/secret/remove', ['=.id=' + secret]), /^no such item( \(4\))?$/);
  same('none left', await api.write('/ppp/secret/print'), []);
}

async function ipsec(api) {
  const profile = await add(api, '/ip/ipsec/profile', ['=name=s2s', '=dh-group=modp2048,ecp384', '=enc-algorithm=aes-128,aes-256', '=dpd-interval=300s', '=lifetime=24h']);
  has('profile', await one(api, '/ip/ipsec/profile', profile), {
    'dh-group': 'ecp384,modp2048', 'enc-algorithm': 'aes-256,aes-128', 'dpd-interval': '5m', lifetime: '1d', 'hash-algorithm': 'sha1',
    'dpd-maximum-failures': '4', 'nat-traversal': 'true', 'proposal-check': 'obey', default: undefined,
  });
  const peer = await add(api, '/ip/ipsec/peer', ['=name=site-b', '=address=198.51.100.2/32', '=profile=s2s', '=exchange-mode=ike2']);
  has('peer', await one(api, '/ip/ipsec/peer', peer), { address: '198.51.100.2/32', 'exchange-mode': 'ike2', 'send-initial-contact': 'true', dynamic: 'false', passive: undefined });
  const identity = await add(api, '/ip/ipsec/identity', ['=peer=site-b', '=secret=psk-1']);
  has('identity', await one(api, '/ip/ipsec/identity', identity), {
    peer: 'site-b', secret: 'psk-1', 'auth-method': 'pre-shared-key', 'generate-policy': 'no', 'my-id': undefined, disabled: 'false', dynamic: 'false',
  });
  await refused('unknown profile', api.write('/ip/ipsec/peer/add', ['=name=x', '=profile=nosuch']), /^input does not match any value of profile$/);
  for (const [menu, id] of [['identity', identity], ['peer', peer], ['profile', profile]]) {
    same('remove ' + menu, await api.write('/ip/ipsec/' + menu + '/remove', ['=.id=' + id]), []);
  }
}

async function move(api) {
  const ids = [];
  for (const c of ['a', 'b', 'c']) {
    ids.push(await add(api, '/ip/firewall/nat', ['=chain=srcnat', '=action=accept', '=comment=' + c]));
  }
  const order = async () => (await api.write('/ip/firewall/nat/print', ['=.proplist=comment'])).map((r) => r.comment).join('');
  same('as added', await order(), 'abc');
  same('move', await api.write('/ip/firewall/nat/move', ['=numbers=' + ids[2], '=destination=' + ids[0]]), []);
  same('moved up', await order(), 'cab');
  await api.write('/ip/firewall/nat/move', ['=numbers=' + ids[0]]);
  same('moved to the end', await order(), 'cba');
  await api.write('/ip/firewall/nat/remove', ['=.id=' + ids.join(',')]);
  same('none left', await order(), '');
}

async function errors(api) {
  await refused('unknown menu', api.write('/nosuch/print'), /^no such command/);
  await refused('unknown command', api.write('/ip/pool/frobnicate'), /^no such command/);
  await refused('unknown attribute', api.write('/ip/pool/add', ['=name=x', '=ranges=10.0.0.1', '=frob=1']), /^unknown parameter/);
  await refused('missing attribute', api.write('/ip/pool/add', ['=name=x']), /^missing value\(s\) of argument\(s\) ranges$/);
}

async function flight(api) {
  const asked = [];
  for (let i = 0; i < 40; i++) {
    asked.push(i % 4 === 3 ? api.write('/ip/pool/frobnicate').catch((e) => e.message) : api.write('/ip/pool/print', ['=count-only=']));
  }
  const got = await Promise.all(asked);
  same('forty at once', got.filter((g) => typeof g === 'string' && g.startsWith('no such command')).length, 10);
  same('each its answer', got.filter((g) => g.length === 1 && g[0].ret === '1').length, 30);
}

async function stream(api) {
  const heard = [];
  let wake = () => {};
  const listening = api.writeStream('/ppp/secret/listen');
  listening.on('data', (packet) => {
    heard.push(packet);
    wake();
  });
  listening.on('error', (e) => heard.push(e));
  const until = async (n) => {
    while (heard.length < n) {
      await new Promise((resolve) => { wake = resolve; });
    }
  };
  await api.write('/ip/pool/print', ['=count-only=']); // listen is under way: it was sent first
  const id = await add(api, '/ppp/secret', ['=name=heard']);
  await until(1);
  has('added', heard[0], { '.id': id, name: 'heard' });
  await api.write('/ppp/secret/set', ['=.id=' + id, '=caller-id=192.0.2.7']);
  await until(2);
  has('changed', heard[1], { '.id': id, 'caller-id': '192.0.2.7' });
  await api.write('/ppp/secret/remove', ['=.id=' + id]);
  await until(3);
  same('removed', [heard[2]['.id'], ['true', 'yes'].includes(heard[2]['.dead'])], [id, true]);
  await listening.stop();
  await add(api, '/ppp/secret', ['=name=unheard']);
  same('unheard', heard.length, 3);
  await api.write('/ppp/secret/remove', ['=numbers=unheard']);
}

run(async () => {
  await login();
  const api = await connect();
  await read(api);
  await change(api);
  await ipsec(api);
  await move(api);
  await errors(api);
  await flight(api);
  await stream(api);
  await api.close();
  await refused('a closed connection', Promise.race([api.write('/ip/pool/print'), new Promise((_, no) => setTimeout(no, 100, new Error('silent')))]), /./);
});
