SELECT rank() OVER (ORDER BY total DESC) AS place, name, total
FROM (SELECT player, sum(points) AS total FROM scores GROUP BY player) AS sums
JOIN players ON players.id = sums.player
ORDER BY total DESC, name
LIMIT 10
