// A small web application that keeps its users' sessions in PostgreSQL. It knows nothing of a cache: DATABASE_URL names
// pgmemo, or PostgreSQL itself, and that is all.
//
//   PORT=8001 NAME=one DATABASE_URL=postgresql://app@127.0.0.1:6432/shop node app.js
//
//   POST /login?user=ann   begins a session and sets its cookie
//   GET  /                 who is logged in, and what is in the cart; 401 without a session
//   POST /cart?item=book   puts something into the cart
//   POST /logout           ends the session
"use strict";

const crypto = require("node:crypto");
const http = require("node:http");
const { Pool } = require("pg");

const pool = new Pool({ connectionString: process.env.DATABASE_URL, max: 4 });

async function find(id) {
  const { rows } = await pool.query("SELECT user_name, cart FROM sessions WHERE id = $1", [id]);
  return rows[0];
}

async function answer(request, url) {
  const id = /(?:^|; )session=([0-9a-f-]{36})/.exec(request.headers.cookie || "")?.[1];
  const route = `${request.method} ${url.pathname}`;
  if (route === "GET /ready") return { status: 200, body: {} };
  if (route === "POST /login") {
    const fresh = crypto.randomUUID();
    await pool.query("INSERT INTO sessions (id, user_name) VALUES ($1, $2)", [fresh, url.searchParams.get("user")]);
    return { status: 200, body: {}, cookie: `session=${fresh}; HttpOnly; Path=/` };
  }
  if (!id || !(await find(id))) return { status: 401, body: { error: "nobody is logged in" } };
  switch (route) {
    case "GET /":
      return { status: 200, body: await find(id) };
    case "POST /cart":
      await pool.query("UPDATE sessions SET cart = cart || $2 WHERE id = $1", [id, [url.searchParams.get("item")]]);
      return { status: 200, body: await find(id) };
    case "POST /logout":
      await pool.query("DELETE FROM sessions WHERE id = $1", [id]);
      return { status: 200, body: {} };
    default:
      return { status: 404, body: { error: "no such page" } };
  }
}

const server = http.createServer(async (request, response) => {
  const { status, body, cookie } = await answer(request, new URL(request.url, "http://localhost")).catch((error) => ({
    status: 500,
    body: { error: String(error) },
  }));
  const headers = { "Content-Type": "application/json", "X-Instance": process.env.NAME };
  if (cookie) headers["Set-Cookie"] = cookie;
  response.writeHead(status, headers).end(JSON.stringify(body) + "\n");
});
server.listen(Number(process.env.PORT), "127.0.0.1");
