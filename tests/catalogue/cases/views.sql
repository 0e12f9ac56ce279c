-- What a view shows (trap 77), and what a write to one changes.

-- case: trap 77: a view
create table films (id int primary key, year int);
create table notes (id int primary key);
create view film_stats as select year, count(*) as films from films group by year;
insert into films values (1, 1999);
-- read: /film_stats
-- keeps: POST /notes {"id":9}
-- stale: POST /films {"id":2,"year":2001}

-- case: a chain of views, one of them out of reach
create table films (id int primary key, year int);
create table notes (id int primary key);
create schema $schema_private;
create view $schema_private.inner_films as select * from films;
create view film_list as select id, year from $schema_private.inner_films;
insert into films values (1, 1999);
-- read: /film_list
-- keeps: POST /notes {"id":9}
-- stale: POST /films {"id":2,"year":2001}

-- case: a view of a table out of reach, written by a function
create schema $schema_private;
create table $schema_private.secrets (id int primary key);
create table notes (id int primary key);
create view secret_count as select count(*) from $schema_private.secrets;
create function add_secret(n int) returns void language sql security definer as
  $$ insert into $schema_private.secrets values (n) $$;
-- read: /secret_count
-- keeps: POST /notes {"id":9}
-- stale: POST /rpc/add_secret {"n":1}

-- case: a materialized view that a function refreshes
create table films (id int primary key);
create table notes (id int primary key);
create materialized view film_count as select count(*) from films;
create function add_and_refresh(n int) returns void language plpgsql security definer set search_path = $schema as
  $$ begin insert into films values (n); refresh materialized view film_count; end $$;
-- read: /film_count
-- keeps: POST /notes {"id":9}
-- stale: POST /rpc/add_and_refresh {"n":1}

-- case: a materialized view that a function only refreshes
create table films (id int primary key);
create table notes (id int primary key);
create materialized view film_total as select count(*) from films;
insert into films values (1);
create function refresh_total() returns void language plpgsql security definer set search_path = $schema as
  $$ begin refresh materialized view film_total; end $$;
-- read: /film_total
-- keeps: POST /notes {"id":9}
-- stale: POST /rpc/refresh_total {}

-- case: a view that calls a function
create table rates (id int primary key, rate int);
create table prices (id int primary key, price int);
create table notes (id int primary key);
create function rate() returns int language sql stable as $$ select max(rate) from rates $$;
create view converted as select id, price * rate() as price from prices;
insert into rates values (1, 2);
insert into prices values (1, 10);
-- read: /converted
-- keeps: POST /notes {"id":9}
-- stale: POST /rates {"id":2,"rate":3}
-- stale: PATCH /prices?id=eq.1 {"price":20}

-- case: a view with a union, a common table expression and a sub-select
create table one (id int primary key);
create table two (id int primary key);
create table three (id int primary key);
create table notes (id int primary key);
create view all_three as
  with first as (select id from one)
  select id from first union all select id from two where exists (select from three where three.id = two.id);
insert into one values (1);
insert into two values (2);
-- read: /all_three?order=id
-- keeps: POST /notes {"id":9}
-- stale: POST /one {"id":5}
-- stale: POST /three {"id":2}

-- case: a recursive view
create table nodes (id int primary key, parent int);
create table notes (id int primary key);
create view tree as with recursive t as (select id from nodes where parent is null
  union all select n.id from nodes n join t on n.parent = t.id) select id from t;
insert into nodes values (1, null);
-- read: /tree?order=id
-- keeps: POST /notes {"id":9}
-- stale: POST /nodes {"id":2,"parent":1}

-- case: a write through a view
create table films (id int primary key, title text);
create table notes (id int primary key);
create view film_titles as select id, title from films;
insert into films values (1, 'One');
-- read: /films
-- keeps: POST /notes {"id":9}
-- stale: PATCH /film_titles?id=eq.1 {"title":"Uno"}

-- case: a write to a view that a trigger carries out
create table films (id int primary key, title text);
create table notes (id int primary key);
create view entry as select 0 as id, ''::text as title;
create function enter() returns trigger language plpgsql as
  $$ begin insert into films values (new.id, new.title); return new; end $$;
create trigger enter instead of insert on entry for each row execute function enter();
-- read: /films
-- keeps: POST /notes {"id":9}
-- stale: POST /entry {"id":1,"title":"One"}

-- case: a write to a view that a rule carries out
create table films (id int primary key, title text);
create table notes (id int primary key);
create view entry as select 0 as id, ''::text as title;
create rule enter as on insert to entry do instead insert into films values (new.id, new.title);
-- read: /films
-- keeps: POST /notes {"id":9}
-- stale: POST /entry {"id":1,"title":"One"}

-- case: a view with the rights of whoever asks
create table teams (id int primary key);
create table members (team int, person uuid, primary key (team, person));
create table notes (id int primary key);
alter table teams enable row level security;
create policy own on teams using (exists (select from members m where m.team = teams.id and m.person = auth.uid()));
create view my_teams with (security_invoker = true) as select id from teams;
insert into teams values (1);
-- as: 1
-- read: /my_teams
-- keeps: POST /notes {"id":9}
-- stale: POST /members {"team":1,"person":"a0000000-0000-4000-8000-000000000001"}

-- case: a view of the server's own tables is unsure
create table films (id int primary key);
create view big_tables as select relname::text from pg_class where relname = 'no_such_table';
-- read: /big_tables
-- unsure: views big_tables
