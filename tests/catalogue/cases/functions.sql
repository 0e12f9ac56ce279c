-- What functions read and write (traps 78 and 94).

-- case: a function in SQL
create table films (id int primary key);
create table notes (id int primary key);
create function film_count() returns bigint language sql stable as $$ select count(*) from films $$;
-- read: /rpc/film_count
-- keeps: POST /notes {"id":9}
-- stale: POST /films {"id":1}

-- case: a function in the standard's form
create table films (id int primary key);
create table notes (id int primary key);
create function film_count() returns bigint language sql stable begin atomic select count(*) from films; end;
-- read: /rpc/film_count
-- keeps: POST /notes {"id":9}
-- stale: POST /films {"id":1}

-- case: a function in PL/pgSQL
create table films (id int primary key);
create table notes (id int primary key);
create function film_count() returns bigint language plpgsql stable as
  $$ declare n bigint; begin select count(*) into n from films; return n; end $$;
-- read: /rpc/film_count
-- keeps: POST /notes {"id":9}
-- stale: POST /films {"id":1}

-- case: a function that calls another
create table films (id int primary key);
create table notes (id int primary key);
create schema $schema_private;
create function $schema_private.counted() returns bigint language sql stable security definer as
  $$ select count(*) from $schema.films $$;
grant usage on schema $schema_private to anon, authenticated;
create function film_count() returns bigint language sql stable as $$ select $schema_private.counted() $$;
-- read: /rpc/film_count
-- keeps: POST /notes {"id":9}
-- stale: POST /films {"id":1}

-- case: a function by each of its names
create table one (id int primary key);
create table two (id int primary key);
create table notes (id int primary key);
create function counted(a int) returns bigint language sql stable as $$ select count(*) + a from one $$;
create function counted(a int, b int) returns bigint language sql stable as $$ select count(*) + a + b from two $$;
-- read: /rpc/counted?a=1&b=2
-- keeps: POST /notes {"id":9}
-- stale: POST /two {"id":1}

-- case: a write by a function in SQL
create table films (id int primary key);
create table notes (id int primary key);
create table logs (id int primary key);
create function add_film(n int) returns void language sql as $$ insert into films values (n) $$;
create function add_log(n int) returns void language sql as $$ insert into logs values (n) $$;
-- read: /films
-- keeps: POST /rpc/add_log {"n":1}
-- stale: POST /rpc/add_film {"n":1}

-- case: a write by a function in PL/pgSQL
create table films (id int primary key, seen int default 0);
create table logs (id int primary key);
create function add_log(n int) returns void language plpgsql as $$ begin insert into logs values (n); end $$;
create function see_film(n int) returns void language plpgsql as
  $$ begin update only films as f set seen = f.seen + 1 where f.id = n; end $$;
insert into films values (1);
-- read: /films
-- keeps: POST /rpc/add_log {"n":1}
-- stale: POST /rpc/see_film {"n":1}

-- case: a write by a function in the standard's form
create table films (id int primary key);
create table logs (id int primary key);
create function add_film(n int) returns void language sql begin atomic insert into films values (n); end;
create function add_log(n int) returns void language sql begin atomic insert into logs values (n); end;
-- read: /films
-- keeps: POST /rpc/add_log {"n":1}
-- stale: POST /rpc/add_film {"n":1}

-- case: a write by a function that a function calls
create table films (id int primary key);
create table logs (id int primary key);
create function inner_add(n int) returns void language sql as $$ insert into films values (n) $$;
create function outer_add(n int) returns void language plpgsql as $$ begin perform inner_add(n); end $$;
create function add_log(n int) returns void language sql as $$ insert into logs values (n) $$;
-- read: /films
-- keeps: POST /rpc/add_log {"n":1}
-- stale: POST /rpc/outer_add {"n":1}

-- case: a write by a common table expression
create table films (id int primary key);
create table logs (id int primary key);
create function take_film() returns setof int language sql as
  $$ with gone as (delete from films returning id) select id from gone $$;
create function add_log(n int) returns void language sql as $$ insert into logs values (n) $$;
insert into films values (1);
-- read: /films
-- keeps: POST /rpc/add_log {"n":1}
-- stale: POST /rpc/take_film {}

-- case: a write by merge
create table films (id int primary key, seen int);
create table logs (id int primary key);
create function merge_film(n int) returns void language sql as
  $$ merge into films f using (select n as id) s on f.id = s.id
     when matched then update set seen = f.seen + 1 when not matched then insert values (s.id, 0) $$;
create function add_log(n int) returns void language sql as $$ insert into logs values (n) $$;
-- read: /films
-- keeps: POST /rpc/add_log {"n":1}
-- stale: POST /rpc/merge_film {"n":1}

-- case: a table that is emptied, and what refers to it
create table authors (id int primary key);
create table books (id int primary key, author int references authors);
create table logs (id int primary key);
create function forget() returns void language sql security definer set search_path = $schema as
  $$ truncate authors cascade $$;
create function add_log(n int) returns void language sql as $$ insert into logs values (n) $$;
insert into authors values (1);
insert into books values (1, 1);
-- read: /books
-- keeps: POST /rpc/add_log {"n":1}
-- stale: POST /rpc/forget {}

-- case: SQL that is put together is unsure, and may write anything
create table films (id int primary key);
create function add_any(t text, n int) returns void language plpgsql as
  $$ begin execute format('insert into %I values (%s)', t, n); end $$;
-- read: /films
-- unsure: functions add_any
-- stale: POST /rpc/add_any {"t":"films","n":1}

-- case: SQL that is put together is unsure, and may read anything
create table films (id int primary key);
create function count_any(t text) returns bigint language plpgsql stable as
  $$ declare n bigint; begin execute format('select count(*) from %I', t) into n; return n; end $$;
-- read: /rpc/count_any?t=films
-- unsure: functions count_any
-- stale: POST /films {"id":1}

-- case: trap 94: a call that only reads keeps everything
create table films (id int primary key, title text);
create function search(word text) returns setof films language sql stable as
  $$ select * from films where title like word $$;
insert into films values (1, 'One');
-- read: /films
-- keeps: POST /rpc/search {"word":"O%"}
-- stale: PATCH /films?id=eq.1 {"title":"Uno"}

-- case: trap 78: a computed field
create table people (id int primary key, first text);
create table titles (person int primary key, title text);
create table notes (id int primary key);
create function full_name(people) returns text language sql stable as
  $$ select title || ' ' || $1.first from titles where person = $1.id $$;
insert into people values (1, 'Ann');
insert into titles values (1, 'Dr');
-- read: /people?select=id,full_name
-- keeps: POST /notes {"id":9}
-- stale: PATCH /titles?person=eq.1 {"title":"Prof"}

-- case: a computed field that filters
create table people (id int primary key, first text);
create table bans (person int primary key);
create table notes (id int primary key);
create function is_banned(people) returns boolean language sql stable as
  $$ select exists (select from bans where person = $1.id) $$;
insert into people values (1, 'Ann');
-- read: /people?is_banned=is.false
-- keeps: POST /notes {"id":9}
-- stale: POST /bans {"person":1}

-- case: a computed field that orders
create table people (id int primary key, first text);
create table ranks (person int primary key, rank int);
create table notes (id int primary key);
create function rank_of(people) returns int language sql stable as
  $$ select rank from ranks where person = $1.id $$;
insert into people values (1, 'Ann'), (2, 'Bo');
insert into ranks values (1, 1), (2, 2);
-- read: /people?select=id,rank_of&order=rank_of
-- keeps: POST /notes {"id":9}
-- stale: PATCH /ranks?person=eq.1 {"rank":3}

-- case: a computed field of an embed
create table people (id int primary key, first text);
create table titles (person int primary key, title text);
create table letters (id int primary key, person int references people);
create table notes (id int primary key);
create function full_name(people) returns text language sql stable as
  $$ select title || ' ' || $1.first from titles where person = $1.id $$;
insert into people values (1, 'Ann');
insert into titles values (1, 'Dr');
insert into letters values (1, 1);
-- read: /letters?select=id,people(full_name)
-- keeps: POST /notes {"id":9}
-- stale: PATCH /titles?person=eq.1 {"title":"Prof"}

-- case: an operator of one's own
create table weights (id int primary key, weight int);
create table pairs (id int primary key, a int, b int);
create table notes (id int primary key);
create function weigh(a int, b int) returns int language sql stable as $$ select a * b * max(weight) from weights $$;
create operator <*> (leftarg = int, rightarg = int, function = weigh);
create function weighed() returns bigint language sql stable as
  $$ select sum(a operator($schema.<*>) b) from pairs $$;
insert into weights values (1, 2);
insert into pairs values (1, 3, 4);
-- read: /rpc/weighed
-- keeps: POST /notes {"id":9}
-- stale: POST /weights {"id":2,"weight":5}

-- case: functions of one name that return rows of two tables
create table writers (id int primary key, name text);
create table novels (id int primary key, writer int references writers);
create table painters (id int primary key, name text);
create table pictures (id int primary key, painter int references painters);
create table notes (id int primary key);
create function works(a int) returns setof novels language sql stable as $$ select * from novels $$;
create function works(a int, b int) returns setof pictures language sql stable as $$ select * from pictures $$;
insert into writers values (1, 'Ann');
insert into painters values (1, 'Bo');
insert into novels values (1, 1);
insert into pictures values (1, 1);
-- read: /rpc/works?a=1&b=1&select=id,painters(name)
-- keeps: POST /notes {"id":9}
-- stale: PATCH /painters?id=eq.1 {"name":"Cy"}
