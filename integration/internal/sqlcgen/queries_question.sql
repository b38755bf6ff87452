-- name: AddItem :exec
INSERT INTO items (name, stock) VALUES (?, ?);

-- name: ItemByName :one
SELECT * FROM items WHERE name = ?;

-- name: TakeFrom :execrows
UPDATE items SET stock = stock - 1 WHERE id = ? AND stock > 0;

-- name: Items :many
SELECT name, stock FROM items ORDER BY name;
