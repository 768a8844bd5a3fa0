// Sequelize: models, associations, JSONB queries, transactions, describe. DSN in the first argument.
const assert = require('node:assert/strict');
const { Sequelize, DataTypes, Op } = require('sequelize');

(async () => {
  const sequelize = new Sequelize(process.argv[2], { dialect: 'postgres', logging: false });
  const Team = sequelize.define('team', { name: { type: DataTypes.STRING, unique: true, allowNull: false }, kind: DataTypes.STRING });
  const Player = sequelize.define('player', {
    name: DataTypes.STRING, stats: DataTypes.JSONB, score: { type: DataTypes.DECIMAL(8, 2), defaultValue: 0 }, tags: DataTypes.ARRAY(DataTypes.TEXT),
  }, { indexes: [{ fields: ['stats'], using: 'gin' }] });
  Team.hasMany(Player, { onDelete: 'CASCADE' });
  Player.belongsTo(Team);
  await sequelize.sync({ force: true });
  const team = await Team.create({ name: 'first', kind: 'red' });
  await Player.bulkCreate([
    { name: 'a', stats: { goals: 3, at: { home: 1 } }, score: '1.50', tags: ['x'], teamId: team.id },
    { name: 'b', stats: { goals: 7 }, score: '2.25', tags: ['x', 'y'], teamId: team.id },
  ]);
  assert.deepEqual((await Player.findAll({ where: { stats: { goals: { [Op.gt]: 5 } } } })).map((p) => p.name), ['b']);
  assert.deepEqual((await Player.findAll({ where: { stats: { [Op.contains]: { at: { home: 1 } } } } })).map((p) => p.name), ['a']);
  assert.deepEqual((await Player.findAll({ where: { tags: { [Op.contains]: ['y'] } } })).map((p) => p.name), ['b']);
  const found = await Team.findOne({ where: { kind: 'red' }, include: [{ model: Player, required: true }], order: [[Player, 'name', 'DESC']] });
  assert.deepEqual(found.players.map((p) => p.name), ['b', 'a']);
  assert.equal(String(await Player.sum('score')), '3.75');
  const grouped = await Player.findAll({ attributes: ['teamId', [sequelize.fn('count', sequelize.col('id')), 'n']], group: ['teamId'], raw: true });
  assert.deepEqual(grouped, [{ teamId: team.id, n: '2' }]);
  await assert.rejects(sequelize.transaction(async (t) => {
    await Player.create({ name: 'c' }, { transaction: t });
    await Team.create({ name: 'first' }, { transaction: t });
  }), { name: 'SequelizeUniqueConstraintError' });
  assert.equal(await Player.count(), 2);
  const [row, created] = await Team.upsert({ id: team.id, name: 'renamed', kind: 'blue' });
  assert.equal(row.name, 'renamed');
  const columns = await sequelize.getQueryInterface().describeTable('players');
  assert.equal(columns.stats.type, 'JSONB');
  assert.equal((await sequelize.getQueryInterface().showIndex('players')).some((i) => i.name === 'players_stats'), true);
  await team.destroy();
  assert.equal(await Player.count(), 0);
  await sequelize.query('DROP TABLE players, teams');
  await sequelize.close();
  console.log('Sequelize: passed');
})().catch((error) => { console.error(error); process.exit(1); });
