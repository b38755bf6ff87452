-- name: AddItem :exec
INSERT INTO items (name, stock) VALUES ($1, $2);

-- name: ItemByName :one
SELECT * FROM items WHERE name = $1;

-- name: TakeFrom :execrows
UPDATE items SET stock = stock - 1 WHERE id = $1 AND stock > 0;

-- name: Items :many
SELECT name, stock FROM items ORDER BY name;
