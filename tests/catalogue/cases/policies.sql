-- Tables that row-level security reads (trap 80).

-- case: trap 80: memberships
create table projects (id int primary key, team int);
create table members (team int, person uuid, primary key (team, person));
create table notes (id int primary key);
alter table projects enable row level security;
create policy of_team on projects using (team in (select m.team from members m where m.person = auth.uid()));
insert into projects values (1, 1), (2, 2);
insert into members values (1, 'a0000000-0000-4000-8000-000000000001');
-- as: 1
-- read: /projects
-- keeps: POST /notes {"id":9}
-- stale: DELETE /members?person=eq.a0000000-0000-4000-8000-000000000001

-- case: memberships by a function with rights of its own
create table projects (id int primary key, team int);
create table members (team int, person uuid, primary key (team, person));
create table notes (id int primary key);
create schema $schema_private;
create function $schema_private.teams() returns setof int language sql stable security definer as
  $$ select team from $schema.members where person = auth.uid() $$;
grant usage on schema $schema_private to anon, authenticated;
alter table projects enable row level security;
create policy of_team on projects using (team in (select $schema_private.teams()));
insert into projects values (1, 1), (2, 2);
-- as: 1
-- read: /projects
-- keeps: POST /notes {"id":9}
-- stale: POST /members {"team":1,"person":"a0000000-0000-4000-8000-000000000001"}

-- case: memberships by a function in PL/pgSQL
create table projects (id int primary key, team int);
create table members (team int, person uuid, primary key (team, person));
create table notes (id int primary key);
create function is_member(wanted int) returns boolean language plpgsql stable security definer
  set search_path = $schema as
  $$ begin return exists (select 1 from members where team = wanted and person = auth.uid()); end $$;
alter table projects enable row level security;
create policy of_team on projects using (is_member(team));
insert into projects values (1, 1), (2, 2);
-- as: 1
-- read: /projects
-- keeps: POST /notes {"id":9}
-- stale: POST /members {"team":1,"person":"a0000000-0000-4000-8000-000000000001"}

-- case: a policy that reads its own table
create table messages (id int primary key, thread int, person uuid);
create table notes (id int primary key);
create function threads() returns setof int language sql stable security definer set search_path = $schema as
  $$ select thread from messages where person = auth.uid() $$;
alter table messages enable row level security;
create policy of_thread on messages for select using (thread in (select threads()));
create policy write on messages for insert with check (true);
insert into messages values (1, 1, null);
-- as: 1
-- read: /messages?id=eq.1
-- keeps: POST /notes {"id":9}
-- stale: POST /messages {"id":2,"thread":1,"person":"a0000000-0000-4000-8000-000000000001"}

-- case: policies that read tables with policies
create table documents (id int primary key, project int);
create table projects (id int primary key, team int);
create table members (team int, person uuid, primary key (team, person));
create table notes (id int primary key);
alter table documents enable row level security;
alter table projects enable row level security;
create policy of_project on documents using (exists (select from projects p where p.id = project));
create policy of_team on projects using (exists (select from members m where m.team = projects.team and m.person = auth.uid()));
insert into documents values (1, 1);
insert into projects values (1, 1);
-- as: 1
-- read: /documents
-- keeps: POST /notes {"id":9}
-- stale: POST /members {"team":1,"person":"a0000000-0000-4000-8000-000000000001"}

-- case: a policy on an embedded table
create table shelves (id int primary key);
create table books (id int primary key, shelf int references shelves);
create table loans (book int, person uuid, primary key (book, person));
create table notes (id int primary key);
alter table books enable row level security;
create policy lent on books using (exists (select from loans l where l.book = books.id and l.person = auth.uid()));
insert into shelves values (1);
insert into books values (1, 1);
-- as: 1
-- read: /shelves?select=id,books(id)
-- keeps: POST /notes {"id":9}
-- stale: POST /loans {"book":1,"person":"a0000000-0000-4000-8000-000000000001"}

-- case: a policy that takes rows away
create table articles (id int primary key);
create table blocked (article int primary key);
create table notes (id int primary key);
alter table articles enable row level security;
create policy everybody on articles using (true);
create policy not_blocked on articles as restrictive using (not exists (select from blocked b where b.article = articles.id));
insert into articles values (1);
-- as: 1
-- read: /articles
-- keeps: POST /notes {"id":9}
-- stale: POST /blocked {"article":1}

-- case: a policy that looks at nothing but the row and the caller
create table notes (id int primary key, person uuid, body text);
create table logs (id int primary key);
alter table notes enable row level security;
create policy own on notes using (person = auth.uid()) with check (person = auth.uid());
insert into notes values (1, 'a0000000-0000-4000-8000-000000000001', 'one'),
  (2, 'a0000000-0000-4000-8000-000000000001', 'two');
-- as: 1
-- read: /notes?id=eq.1
-- keeps: POST /logs {"id":1}
-- keeps: PATCH /notes?id=eq.2 {"body":"zwei"}
-- stale: PATCH /notes?id=eq.1 {"body":"eins"}

-- case: policies that are off read nothing
create table projects (id int primary key, team int);
create table members (team int, person uuid, primary key (team, person));
create policy of_team on projects using (team in (select m.team from members m where m.person = auth.uid()));
insert into projects values (1, 1);
-- as: 1
-- read: /projects
-- keeps: POST /members {"team":1,"person":"a0000000-0000-4000-8000-000000000001"}
-- stale: POST /projects {"id":2,"team":1}
