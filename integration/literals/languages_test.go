package literals_test

// common is what all dialects have inside quotes.
var common = []string{
	`\`, `\\`, `\'`, `\"`, `'`, `''`, `'''`, `"`, `""`, "`", "``", "--", "-- ", "/*", "*/", "/*!", "#", ";", "\n", "\r", "\r\n", " ", "\t", ",",
	"[", "]", "(", ")", "$", "$$", "$a$", "@", ":", "::", "?", ".", "é", "\u00a0", "\u2028", "%", "_", "E'", "N'", "x'", "q'[", "{", "}", "\x01", "+", "|",
}

var inPostgres = language{
	shapes: []string{
		"SELECT %", "SELECT %", "SELECT %", "SELECT % FROM t", "SELECT a FROM t WHERE a IN (%)", "INSERT INTO t (a, b) VALUES (%)",
		"UPDATE t SET a = %", "SELECT a FROM t WHERE b LIKE %", "DELETE FROM t WHERE a = %", "SELECT 1; SELECT %", "WITH w AS (SELECT %) TABLE w",
		"VALUES (%)", "SELECT 1 AS % ", "SELECT a FROM t ORDER BY % LIMIT 1", "SELECT 1 WHERE 'x' = %", "SET x.y = %", "SELECT * FROM (SELECT %) s",
	},
	quotes: [][2]string{
		{"'", "'"},
		{"'", "'"},
		{"'", "'"},
		{"E'", "'"},
		{"e'", "'"},
		{"U&'", "'"},
		{"$$", "$$"},
		{"$a$", "$a$"},
		{"$_1$", "$_1$"},
		{"$é$", "$é$"},
		{"text '", "'"},
		{"'' \n'", "'"},
		{"E''\n'", "'"},
		{"E'' \n '", "'"},
		{"'' -- it's\n '", "'"},
		{"E''\r'", "'"},
		{"E''--\n'", "'"},
		{"1 \"", "\""},
		{"1 U&\"", "\""},
	},
	odd: [][2]string{
		{"u&'", "'"},
		{"N'", "'"},
		{"B'", "'"},
		{"X'", "'"},
		{`"`, `"`},
		{`U&"`, `"`},
		{`AS "`, `"`},
		{"DATE '", "'"},
		{"e '", "'"},
		{"U& '", "'"},
		{"a$$", "$$"},
		{"1$$", "$$"},
		{"''/**/\n'", "'"},
		{"_x'", "'"},
		{"U&'' UESCAPE '!' '", "'"},
		{"'' '", "'"},
		{"b''\n'", "'"},
		{"X'ab'\n'", "'"},
		{"E''\v\n'", "'"},
		{"U&'", "' UESCAPE '!'"},
		{"U&''\n'", "'"},
		{"N''\n'", "'"},
	},
	inside: append([]string{"/* ", " */", "U&'", "\v", "\f", "\xbf\\", "中", "\x81`"}, common...),
	gaps: []string{
		" ", "\n", "\r", "\t", "\v", "\f", "/* % */", "/* /* % */ */", "/* ' % */", "-- %\n", "--%\r", "-- it's %\n", "/*% '*/", "/*/* '*/ % '*/", "--' /* \n", "/**/", "/*/**/*/",
		"/*--*/", "\u00a0",
	},
	values: []string{"%", "-%", "+%", "%.%", ".%", "%.", "%e5", "%::text", "NULL", "x'&'", "@%", "@-%", "-.%", "5%e-3", "%*-%", "- -%", "%--\n"},
	oddValues: []string{
		"1e%", "1E+%", "0x&", "0o1%", "0b101", "1_%", "%$$x$$", "1.e%", "%e", "1..%", "0x", "$1", "$%", "1a", "a%", "1e+%", "1/*", "#%", "?%", "%..%", "%a", "%e5a", "%.e", "B'0101'",
	},
	joins:    []string{",", "||", "::text||", ";SELECT ", " IS DISTINCT FROM "},
	oddJoins: []string{"=", "\n", " ", "<>", "-", "--\n", "- -", "/", "*", "OR", "AS", "-@", "||/", "?", "@>", "*-", "||-"},
	wraps: []string{
		"(%)", "lower(%)", "ARRAY[%]", "CASE WHEN % THEN % END", "CAST(% AS text)", "(SELECT %)", "ROW(%)", "coalesce(%, %)", "EXTRACT(year FROM %)", "'a' IN (%)",
		"SUBSTRING(% FROM 1)", "TRIM(BOTH FROM %)", "position(% IN %)", "(ARRAY[1])[%]", "NOT %", "% COLLATE \"C\"", "(%)::text", "interval %", "overlay(% placing % from 1)",
	},
}

var inMySQL = language{
	shapes: []string{
		"SELECT %", "SELECT %", "SELECT %", "SELECT % FROM t", "SELECT a FROM t WHERE a IN (%)", "INSERT INTO t (a, b) VALUES (%)", "INSERT INTO t SET a = %",
		"UPDATE t SET a = %", "SELECT a FROM t WHERE b LIKE %", "DELETE FROM t WHERE a = %", "SELECT 1; SELECT %", "SELECT 1 AS %", "VALUES (%)", "DO %",
		"SELECT a FROM t ORDER BY % LIMIT 1", "SET @v = %", "SELECT /*! % */", "SELECT /*!50000 % */ 1", "SELECT /*!999999 % */ %", "SELECT /*M! % */ %", "SELECT 1 /*! , % */ , %",
		"SELECT * FROM (SELECT %) s", "CALL p(%)", "KILL %", "SELECT 1 %", "/*!% */ SELECT 1", "SELECT /*+ % */ %",
	},
	quotes: [][2]string{
		{"'", "'"},
		{"'", "'"},
		{"'", "'"},
		{`"`, `"`},
		{`"`, `"`},
		{"`", "`"},
		{"N'", "'"},
		{"n'", "'"},
		{"_utf8mb4'", "'"},
		{"_latin1 '", "'"},
		{"_binary\n'", "'"},
		{`_utf8"`, `"`},
		{"@'", "'"},
		{`@"`, `"`},
		{"'' '", "'"},
		{"''\n\"", `"`},
		{"'a'/**/'", "'"},
		{"{d '", "'}"},
		{"1 '", "'"},
		{"1 `", "`"},
		{"''-- \n'", "'"},
		{"''#\n'", "'"},
		{"t.`", "`"},
	},
	odd: [][2]string{
		{"X'", "'"}, {"b'", "'"}, {"DATE'", "'"}, {"TIMESTAMP '", "'"}, {"AS '", "'"}, {"AS `", "`"}, {`AS "`, `"`}, {"E'", "'"}, {"a'", "'"}, {"@@'", "'"}, {"@@`", "`"}, {"1.`", "`"}, {`N"`, `"`}, {"_x'", "'"}, {`b"`, `"`}, {"$$", "$$"}, {"[", "]"}, {`a."`, `"`},
	},
	inside: append([]string{"/*!", "/*M!", "/*!50000", "/*!999999", "/*+", "\x1a", `\0`, `\%`, `\Z`, "-- \n", "#\n", "\xbf", "\x81", "中", "\xbf\\", "\x81`"}, common...),
	gaps: []string{
		" ", "\n", "\r", "\t", "\v", "\f", "/* % */", "/* ' % */", "-- %\n", "--%\n", "-- it's %\n", "# it's %\n", "#%\r\n", "/*% '*/", "/*/* '*/", "--' /* \n", "/**/", "/*!*/", "/*!50000*/", "/*!'%'*/",
		"/*!999999 '%' */", "/*!50000 , '%' */", "/*M!100000 , '%' */", "/*M!999999 it's % */", "/*! /* % */ */", "/*!999999 /* % */ */", "--\t%\n", "--\v%\n", "--\x01%\n", "--\n", "-- %\r", "/*!%*/", "/*!1 , %*/", "/*!50701 , '%' */", "/*!99999 '%' */",
		"/*!/*!*/", "/*/", "/*!40101 \"%\" */",
	},
	values: []string{
		"%", "-%", "+%", "%.%", ".%", "%.", "%e5", "0x&", "x'&'", "X'&'", "a%", "%a", "0x&z", "_utf8 0x&", "t.%", "t.%e5", "%--%", "%-- \n", "5--%", "'%' '%'", "1e-3%", "%e+5", "$%", "%$", "t.%.a", "%.e5", "1e5%", "%e5a", "0x%&",
	},
	oddValues: []string{
		"1e%", "1E+%", "0X&", "0b101", "1_%", "1e-%", "%e", "1.e%", "1..%", "TRUE", "NULL", `\N`, "b'0101'", "1e+%", "0x", "@@%", "1.%a", "a.1e%", ":%", "?%", "{d%}", "0b", "0b%", "INTERVAL % DAY", "INTERVAL '%' DAY", "a.%a.%b", "%.a", "%.%a",
	},
	joins:    []string{",", "||", "=", "<>", "-", "- -", "/", "*", ";SELECT ", " LIKE ", " REGEXP "},
	oddJoins: []string{"\n", " ", "--\n", "--", "*/*", "OR", "AS", "?", ":=", "!", "->", "->>", "DIV", "ESCAPE", "*/", "!=-"},
	wraps: []string{
		"(%)", "lower(%)", "CASE WHEN % THEN % END", "CAST(% AS char)", "(SELECT %)", "ROW(%)", "coalesce(%, %)", "EXTRACT(year FROM %)", "'a' IN (%)", "concat(%, %)",
		"SUBSTRING(% FROM 1)", "TRIM(BOTH % FROM %)", "position(% IN %)", "NOT %", "% COLLATE utf8mb4_bin", "convert(% using latin1)", "binary %", "/*! % */", "/*!50000 % */", "/*!999999 % */", "MATCH (a) AGAINST (%)", "-%", "@v := %", "{fn lower(%)}", "group_concat(% SEPARATOR %)", "json_extract(%, %)",
	},
}

var inSQLite = language{
	shapes: []string{
		"SELECT %", "SELECT %", "SELECT %", "SELECT % FROM t", "SELECT a FROM t WHERE a IN (%)", "INSERT INTO t (a, b) VALUES (%)", `INSERT INTO "t" ("a", "b") VALUES (%)`,
		"UPDATE t SET a = %", `UPDATE "t" SET "a" = %, "b" = % WHERE %`, "SELECT a FROM t WHERE b LIKE %", "DELETE FROM t WHERE a = %", "SELECT 1 AS %", "VALUES (%)",
		"SELECT a FROM t ORDER BY % LIMIT 1", "SELECT * FROM (SELECT %) s", `SELECT a FROM "t" JOIN u ON %`, "SELECT a FROM t, u WHERE %", "SELECT a FROM t GROUP BY % HAVING %",
		`INSERT INTO t ("a") VALUES (%) ON CONFLICT ("a") DO UPDATE SET "b" = %, a = % WHERE % RETURNING %`, `WITH "w" ("x") AS (SELECT %) SELECT % FROM "w", t AS "y" WHERE %`,
		"SELECT a FROM t UNION SELECT %", "SELECT % UNION ALL SELECT % FROM t", "REPLACE INTO u VALUES (%, %)", "SELECT sum(a) OVER (PARTITION BY % ORDER BY %) FROM t", "SELECT a FROM t LIMIT %",
		"SELECT a FROM t, json_each(%) WHERE %", "SELECT a FROM json_each(%), t", `SELECT a FROM t "x" WHERE %`, `SELECT a "x", % FROM t`, "UPDATE t SET (a, b) = (%, %)", "INSERT INTO u SELECT %, %", "SELECT count(*) FILTER (WHERE %) FROM t",
		"UPDATE t SET a = % FROM u WHERE %", "SELECT a FROM t JOIN u USING (b), (SELECT %)", "SELECT a FROM t LEFT JOIN u ON %, t AS z", "SELECT a FROM t WHERE (a, %) IN (VALUES (%, %))",
		"SELECT a FROM (t JOIN u ON %) WHERE %", "SELECT a IS NOT DISTINCT FROM % FROM t", "SELECT a FROM t WINDOW w AS (ORDER BY %)", "WITH w AS NOT MATERIALIZED (SELECT %) SELECT % FROM w",
		"CREATE TABLE z (a TEXT DEFAULT %, b CHECK (%))", "CREATE VIEW z AS SELECT %", "CREATE INDEX z ON t (a) WHERE %", "CREATE TABLE z AS SELECT %", `CREATE TABLE "z" ("a" TEXT, UNIQUE ("a") ON CONFLICT FAIL, CHECK (%))`,
		"CREATE TABLE z (a REFERENCES u (b) DEFAULT (%), c AS (%))", "SELECT a FROM t WHERE a BETWEEN % AND %", "SELECT a FROM t INDEXED BY i WHERE %", "SELECT a FROM t NOT INDEXED WHERE %",
		"CREATE TRIGGER z AFTER UPDATE OF a ON t WHEN % BEGIN UPDATE t SET a = %; SELECT %; END", "DELETE FROM t AS x WHERE % RETURNING %, %", "SELECT key, column1 FROM (VALUES (%)), (SELECT 1 AS key) WHERE %",
		"EXPLAIN SELECT %", "SELECT group_concat(a, % ORDER BY %) FROM t",
	},
	quotes: [][2]string{
		{"'", "'"}, {"'", "'"}, {`"`, `"`}, {`"`, `"`}, {`"`, `"`}, {`"`, `"`}, {"$a(", ")"}, {":a::b(", ")"}, {"@a(", ")"}, {"1, \"", "\""}, {"b = \"", `"`},
	},
	odd: [][2]string{
		{"`", "`"}, {"[", "]"}, {"x'", "'"}, {"X'", "'"}, {`AS "`, `"`}, {"AS '", "'"}, {"AS [", "]"}, {"N'", "'"}, {"E'", "'"}, {"@a::(", ")"}, {"#a(", ")"}, {`a "`, `"`}, {"a '", "'"}, {"$", " "}, {`t."`, `"`}, {"'' '", "'"}, {`(a) "`, `"`}, {`a COLLATE "`, `"`},
	},
	inside: append([]string{"::", ")", "]]"}, common...),
	gaps: []string{
		" ", "\n", "\r", "\t", "\f", "/* % */", "/* ' % */", "-- %\n", "--%\n", "-- it's %\n", "--%\r", "/*% '*/", "/*/* '*/", "--' /* \n", "/**/", "/*/*/", "\ufeff", "\v", "-- %\r\n",
	},
	values: []string{"%", "-%", "+%", "%.%", ".%", "%.", "%e5", "0x&", "x'&'", "NULL", ":v%", "@v%", "$v%", "1e-5", "1_000", "(1)", "%-- \n", "view", "trigger", "key", "column", "rename", "temp", "recursive", "row"},
	oddValues: []string{
		"1e%", "1E+%", "0X&", "1_%", "1e-%", "%e", "1.e%", "TRUE", "X'&'", "a", "t.a", "?%", "#v%", "?1", "CURRENT_TIME", "rowid", "%a", "0x&z", "(a)", "a.b",
	},
	joins:    []string{",", ",", ",", "||", "=", " IS NOT ", " LIKE ", " IS DISTINCT FROM ", " ISNULL,", " AND "},
	oddJoins: []string{"==", "\n", " ", "<>", "-", "--\n", "- -", "/", "*", "OR", "GLOB", "->", "->>", "NOT NULL,", "COLLATE nocase,", "ESCAPE", " AS z,", ", key,", "IN (1),", "NOT LIKE"},
	wraps: []string{
		"(%)", "lower(%)", "CASE WHEN % THEN % END", "CASE % WHEN % THEN % ELSE % END", "CAST(% AS text)", "(SELECT %)", "coalesce(%, %)", "a IN (%)", "'a' IN (%, %)", "max(%, %)", "NOT %", "-%", "% COLLATE binary",
		"EXISTS (SELECT %)", "(SELECT a FROM t WHERE %)", "(SELECT % FROM t, u)", "substr(%, %)", "a BETWEEN % AND %", "iif(%, %, %)", "json_extract(%, %)", "(%, %) = (%, %)", "(SELECT a FROM t, u ORDER BY %, %)", "replace(%, %, %)", "count(DISTINCT %)", "(WITH w (x) AS (VALUES (%)) SELECT % FROM w)",
		"CASE view WHEN % THEN % END", "trigger LIKE %", "key IN (%)", "column AND %", "recursive IS %", "sum(a) OVER (ORDER BY %)", "glob(%, %)", "like(%, %)", "trim(%, %)",
	},
}
