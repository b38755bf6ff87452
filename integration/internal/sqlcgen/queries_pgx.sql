-- name: AddItems :copyfrom
INSERT INTO items (name, stock) VALUES ($1, $2);

-- name: Restock :batchexec
UPDATE items SET stock = stock + $1 WHERE name = $2;
