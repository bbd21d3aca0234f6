// The GraphiQL page: signs in through the schema itself and keeps the token in memory alone.
"use strict";

const who = document.getElementById("who");
let accessToken = "";

async function send(body) {
  const headers = { "Content-Type": "application/json", Accept: "application/json" };
  if (accessToken) headers.Authorization = `Bearer ${accessToken}`;
  const answer = await fetch("/graphql", { method: "POST", headers, body: JSON.stringify(body) });
  return answer.json();
}

document.getElementById("sign-in").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target;
  accessToken = "";
  const answer = await send({
    query: `mutation ($login: String!, $password: String!) {
      signIn(login: $login, password: $password) {
        ... on Session { accessToken me { name role } }
        ... on InputProblem { message hint }
      }
    }`,
    variables: { login: form.login.value, password: form.password.value },
  });
  const session = answer.data && answer.data.signIn;
  form.password.value = "";
  if (session && session.accessToken) {
    accessToken = session.accessToken;
    who.textContent = `${session.me.name} (${session.me.role.toLowerCase()})`;
  } else {
    who.textContent = session ? `${session.message} ${session.hint}` : answer.errors[0].message;
  }
});

const QUESTION = `# Connectez-vous en haut de la page, puis posez votre question.
query Recherche {
  search(text: "cancer du sein HER2") {
    understood { text kind label }
    total
    hits { score why patient { id headline } }
  }
}
`;

ReactDOM.render(
  React.createElement(GraphiQL, {
    fetcher: (body) => send(body),
    defaultQuery: QUESTION,
    shouldPersistHeaders: false,
    isHeadersEditorEnabled: false,
  }),
  document.getElementById("editor"),
);
